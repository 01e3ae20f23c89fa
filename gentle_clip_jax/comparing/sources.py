"""`compare`: aligners side by side on a user's two collections."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.comparing import pool
from gentle_clip_jax.comparing.fits import base_of
from gentle_clip_jax.comparing.runs import Plan, compare_pool
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given, collection_of
from gentle_clip_jax.features.pairs import read_matched

# One of each kind; all of them take an hour.
_OWN = ("cca", "procrustes", "relative", "clip", "gentle_clip", "transported_cca")
_OWN += ("gentle_transport", "gentle_clip_warm")
# Maximum of pairs, and of unmatched items of a modality: more take hours and tens of gigabytes,
# and the methods sample a few thousand of them anyway.
MOST_ITEMS = 20_000


def compare(
    x: Given,
    y: Given,
    pairs: Any,
    workdir: str | pathlib.Path,
    *,
    methods: Sequence[str] | None = None,
    seeds: int = 5,
    fast: bool = False,
) -> dict[str, Any]:
    """Compare methods on a user's embeddings; each seed holds out another third of the pairs.

    At most `MOST_ITEMS` pairs, and unmatched items of a modality, are sampled, with a message.

    Args:
      x: a collection, a path that `read` takes, or features [n, d].
      y: likewise, of the other modality.
      pairs: a CSV file, id pairs, a table, or numbers [k, 2] of items; None if equal ids are pairs.
      workdir: for runs and results.
      methods: names in `aligners.METHODS`; some of each kind if not given.
      seeds: number of splits.
      fast: only closed forms, which take seconds.

    Returns:
      The content of results.json, which is in the workdir.

    Raises:
      ValueError: a file is not as it should be, all rows of one are the same, there are fewer than
        nine pairs, or no method is left.
    """
    names = tuple(methods or _OWN)
    if fast:
        names = tuple(n for n in names if base_of(n) in METHODS and not METHODS[base_of(n)].trained)
    if not names or seeds < 1:
        raise ValueError("Nothing is left to compare: give --seeds of 1 or more, and methods.")
    given = collection_of(x), collection_of(y)
    of_x, of_y, pair_ids = _drawn(*read_matched(pairs, *given))
    for side, rows in zip(given, (of_x, of_y)):
        if not np.isfinite(Standardizer.of(np.asarray(rows.features)).deviation).any():
            raise ValueError(
                f"All rows of {side.name} are the same, so that nothing can be learned from them: "
                "encode its items again."
            )

    @functools.lru_cache(maxsize=1)
    def split(seed: int) -> pool.Pool:
        return pool.own_pool(of_x, of_y, pair_ids, seed=seed)

    most = len(split(0).x)
    numbers = tuple(dict.fromkeys(float(max(6, most // part)) for part in (4, 2, 1)))
    title = " and ".join(
        name if side.path is None else side.path.name for name, side in zip("xy", given)
    )
    plan = Plan(names, numbers, tuple(range(seeds)))
    return compare_pool(split(0), plan, pathlib.Path(workdir), title=title, split=split)


def _drawn(
    x: Collection, y: Collection, pairs: np.ndarray
) -> tuple[Collection, Collection, np.ndarray]:
    """Sample pairs and unmatched items up to `MOST_ITEMS`; return rows and pairs."""
    rng, sampled, sides = np.random.default_rng(0), pairs, []
    if len(pairs) > MOST_ITEMS:
        sampled = pairs[np.sort(rng.permutation(len(pairs))[:MOST_ITEMS])]
        print(f"{MOST_ITEMS:,} of {len(pairs):,} pairs take part, drawn at random.")
    for column, (name, rows) in enumerate((("x", x), ("y", y))):
        others = np.setdiff1d(rows.ids, pairs[:, column])
        if len(others) > MOST_ITEMS:
            print(
                f"{MOST_ITEMS:,} of {len(others):,} unmatched items of {name} take part, drawn at "
                "random: all would take hours and much memory."
            )
            others = rng.permutation(others)[:MOST_ITEMS]
        chosen = np.isin(rows.ids, np.concatenate([sampled[:, column], others]))
        sides.append(rows if chosen.all() else rows.select(chosen))
    return sides[0], sides[1], sampled

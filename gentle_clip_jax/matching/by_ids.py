"""`match`: matches of two collections, with the ids of their items."""

import pathlib
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.aligners.candidates import NAMED
from gentle_clip_jax.aligners.evidence import digests_of, held_out_of
from gentle_clip_jax.aligners.fair_pairs import fair_pairs, item_of
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.given import Given
from gentle_clip_jax.features.names import encoder_classes
from gentle_clip_jax.features.origins import GIVEN, Origins, read_origins
from gentle_clip_jax.features.pairs import read_matched
from gentle_clip_jax.matching.accepted import check_fdr
from gentle_clip_jax.matching.item_sets import check_coverage
from gentle_clip_jax.matching.match import match_arrays
from gentle_clip_jax.matching.matched import MatchedCollections
from gentle_clip_jax.searching.opened import Opened, opened_of
from gentle_clip_jax.searching.run_items import Run


def match(
    aligner: Opened | Aligner | Run | str | pathlib.Path,
    x: Given,
    y: Given,
    pairs: Any = None,
    *,
    share: float | None = None,
    one_to_one: bool = False,
    fdr: float | None = None,
    coverage: float | None = None,
    seed: int = 0,
) -> MatchedCollections:
    """Find a partner for each unmatched item of x, and how probable it is.

    Args:
      aligner: what `align` or `restore` returned, or a folder that an aligner was saved in.
      x, y: collections, paths that `read` takes, or features; with a run, its raw items.
      pairs: known pairs, whose items are not matched again: a CSV file, id pairs, a table, or
        numbers [k, 2] of items (default: those that the aligner was fitted to, or equal ids).
      share: part of the unmatched items of x with a partner in y, above 0 to 1; without it no
        match has a probability.
      one_to_one: no item of y is in two matches; or else each item of x gets its nearest.
      fdr: accept the longest list of matches of which at most this share, above 0 and below 1, is
        wrong; it needs `share`.
      coverage: chance that the prediction set of an item holds its partner, above 0 and below 1.
      seed: of random choices.

    Returns:
      The matches: `rows`, `to_pandas()`, `expected`, `summary`, and `save(folder)`.

    Raises:
      ValueError: the features are not of the aligner's modalities, there are fewer than three
        pairs, nothing is unmatched, coverage or fdr is out of bounds, or fdr has no share.

    Source: see `gentle_clip_jax.matching.match.match_arrays` and docs/review_and_match.md.
    """
    check_fdr(fdr, share)
    check_coverage(coverage)
    opened = opened_of(aligner)
    of_x, of_y = opened.read(x, "x")[0], opened.read(y, "y")[0]
    given = opened.remembered_pairs(of_x, of_y) if pairs is None else pairs
    first, second, ids = read_matched(given, of_x, of_y)
    origins = read_origins(pairs, of_x.ids, of_y.ids, opened.aligner.metadata.get("origins"))
    found = match_arrays(
        opened.aligner,
        **_arrays_of(first, second, ids),
        share=share,
        one_to_one=one_to_one,
        with_outcomes=fdr is not None,
        coverage=coverage,
        key=jax.random.key(seed),
        classes=_classes_of(opened, of_x, of_y),
        held_out=held_out_of(opened.aligner, of_x, of_y, ids),
        fair=fair_pairs(origins, ids[:, 0], item_of(of_x, first)),
    )
    known = _with_origins(ids, origins, (of_x, first), (of_y, second))
    digests = {"aligner": opened.sha256, **digests_of(of_x, of_y, ids)}
    path = str(pairs) if isinstance(pairs, str | pathlib.Path) else None
    return MatchedCollections(found, first, second, opened, known, digests, path, fdr, coverage)


def _arrays_of(x: Collection, y: Collection, ids: np.ndarray) -> dict[str, Any]:
    """Return the features of two collections, their pairs as numbers, and the order of their ids,
    so that random choices do not depend on that of rows."""
    return {
        "x": x.of_items(x.items),
        "y": y.of_items(y.items),
        "pairs": np.stack([x.numbers_of(ids[:, 0]), y.numbers_of(ids[:, 1])], axis=1),
        "orders": (np.argsort(x.items), np.argsort(y.items)),
    }


def _with_origins(
    ids: np.ndarray, origins: Origins, *sides: tuple[Collection, Collection]
) -> list[tuple[str, str, str]]:
    """Return the ids of pairs [k, 2], and the origin of each, "given" if it is not known.

    Args:
      sides: x and y, each before and after items were joined.
    """
    items = [item_of(*side) for side in sides]
    words = {
        tuple(item.get(id_) for item, id_ in zip(items, pair)): word
        for pair, word in origins.words.items()
    }
    return [(x, y, words.get((x, y), GIVEN)) for x, y in ids.tolist()]


def _classes_of(opened: Opened, x: Collection, y: Collection) -> Any:
    """Return the classes of the encoders if the aligner's method needs them."""
    if opened.aligner.metadata["method"] != NAMED:
        return None
    return encoder_classes(x.encoder, y.encoder, width=x.features.shape[1])

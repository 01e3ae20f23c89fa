"""Where a comparison's features come from: a config's data sets, or a user's two files."""

import functools
import pathlib
from collections.abc import Sequence

import ml_collections

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.compare import pool
from gentle_clip_jax.compare.runs import Plan, compare
from gentle_clip_jax.data import embeddings

# One of each kind; all of them take an hour.
_OWN = ("cca", "procrustes", "relative", "clip", "s_clip", "gentle_clip", "transported_cca")
_OWN += ("gentle_transport", "gentle_clip_warm")


def compare_config(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> None:
    """Compares what a config such as configs/compare_remote_sensing.py names.

    Raises:
      ValueError: features are missing, or a key has a value that does not fit.
    """
    if config.evaluate not in ("test", "validation"):
        raise ValueError(f"config.evaluate must be test or validation, not {config.evaluate}.")
    plan = Plan(config.methods, config.pairs, config.seeds, config.unmatched)
    compare(pool_of(config), plan, pathlib.Path(workdir), title=config.title)


def pool_of(config: ml_collections.ConfigDict) -> pool.Pool:
    """The items of the data sets that a config names.

    Raises:
      ValueError: features are missing.
    """
    return pool.load_pool(
        config.features,
        train=config.train,
        zero_shot=dict(one.split(":") for one in config.zero_shot),
        excluded_labels=config.excluded_labels,
        evaluate=config.evaluate,
    )


def compare_files(
    x: str | pathlib.Path,
    y: str | pathlib.Path,
    pairs: str | pathlib.Path | None,
    workdir: str | pathlib.Path,
    *,
    methods: Sequence[str] | None = None,
    seeds: int = 5,
    fast: bool = False,
) -> None:
    """Compares methods on a user's own embeddings; each seed holds out another third of the pairs.

    Args:
      x: a file of embeddings, or a folder of `gentle-clip encode`.
      y: likewise, of the other modality.
      pairs: a file with an id of each side on every line; None if equal ids are pairs.
      workdir: for runs and results.
      methods: of `aligners.METHODS`; some of each kind if not given.
      seeds: how many splits.
      fast: closed forms alone, which take seconds.

    Raises:
      ValueError: a file is not as it should be, there are fewer than nine pairs, or no method is
        left.
    """
    names = tuple(methods or _OWN)
    if fast:
        names = tuple(name for name in names if name in METHODS and not METHODS[name].trained)
    if not names or seeds < 1:
        raise ValueError("Nothing is left to compare: give --seeds of 1 or more, and methods.")
    of_x, of_y = embeddings.read(x), embeddings.read(y)
    known = embeddings.read_pairs(pairs, of_x.ids, of_y.ids)

    @functools.lru_cache(maxsize=1)
    def split(seed: int) -> pool.Pool:
        return pool.own_pool(of_x, of_y, known, seed=seed)

    most = len(split(0).x)
    numbers = tuple(dict.fromkeys(float(max(6, most // part)) for part in (4, 2, 1)))
    title = f"{pathlib.Path(x).name} and {pathlib.Path(y).name}"
    plan = Plan(names, numbers, tuple(range(seeds)))
    compare(split(0), plan, pathlib.Path(workdir), title=title, split=split)

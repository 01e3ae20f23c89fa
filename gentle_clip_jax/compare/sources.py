"""Where a comparison's features come from: a config's data sets, or a user's two files."""

import pathlib

import ml_collections

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
    items = pool.load_pool(
        config.features,
        train=config.train,
        zero_shot=dict(one.split(":") for one in config.zero_shot),
        excluded_labels=config.excluded_labels,
        evaluate=config.evaluate,
    )
    compare(items, plan, pathlib.Path(workdir), title=config.title)


def compare_files(
    x: str | pathlib.Path,
    y: str | pathlib.Path,
    pairs: str | pathlib.Path | None,
    workdir: str | pathlib.Path,
) -> None:
    """Compares methods on a user's own embeddings, a third of the pairs held out.

    Raises:
      ValueError: a file is not as it should be, or there are fewer than nine pairs.
    """
    of_x, of_y = embeddings.read(x), embeddings.read(y)
    items = pool.own_pool(of_x, of_y, embeddings.read_pairs(pairs, of_x.ids, of_y.ids), seed=0)
    most = len(items.x)
    numbers = tuple(dict.fromkeys(float(max(6, most // part)) for part in (4, 2, 1)))
    plan = Plan(_OWN, numbers)
    title = f"{pathlib.Path(x).name} and {pathlib.Path(y).name}"
    compare(items, plan, pathlib.Path(workdir), title=title)

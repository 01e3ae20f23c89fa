"""A run that takes seconds: sixteen-pixel pictures of bars, and the words that describe them.

Run as a script, it trains in a process of its own, tiny_run.py WORKDIR DEVICES KEY=VALUE..., and
saves the last parameters in params.npz.
"""

import json
import pathlib
import sys

import jax
import ml_collections
import numpy as np

from gentle_clip_jax.data.batches import Dataset, Pairs
from gentle_clip_jax.runs.taken import taken
from gentle_clip_jax.tasks import default_config
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.tasks.icons.data import Words
from gentle_clip_jax.training import loop

WORDS = [f"{height} {side}" for height in ("low", "mid", "high", "top") for side in "abcdefgh"]
VOCABULARY = ["", *sorted({part for word in WORDS for part in word.split()})]


def config(**overrides) -> ml_collections.ConfigDict:
    """The default config made tiny; overrides are dotted keys, as in {"train.steps": 6}."""
    result = default_config("icons")
    tiny = {
        "model.image.width": 16,
        "model.image.depth": 0,
        "model.text.width": 16,
        "model.embedding_dim": 16,
        "optimizer.warmup_steps": 2,
        "train.steps": 6,
        "train.batch_matched": 8,
        "train.batch_unmatched": 8,
        "train.log_every": 1,
        "train.checkpoint_every": 2,
    }
    result.update_from_flattened_dict(tiny | overrides)
    return result


def encode(texts) -> np.ndarray:
    rows = [[VOCABULARY.index(part) for part in text.split()] for text in texts]
    return np.array([row + [0] * (3 - len(row)) for row in rows], np.int32)


def items(rng: np.random.Generator, num_items: int) -> Pairs:
    """Pictures of a bar whose height and place the name tells, under noise."""
    words = rng.integers(len(WORDS), size=num_items)
    images = rng.integers(60, size=(num_items, 16, 16)).astype(np.uint8)
    for image, word in zip(images, words):
        height, side = divmod(word, 8)
        image[-4 * (height + 1) :, 2 * side : 2 * side + 2] += 190
    names = np.array(WORDS)[words]
    return Pairs(images, encode(names), names)


def dataset(seed: int = 0) -> Dataset:
    """40 pairs, 60 unmatched items of each modality, 24 items for validation and for test."""
    rng = np.random.default_rng(seed)
    matched, images, texts, validation, test = (items(rng, n) for n in (40, 60, 60, 24, 24))
    metadata = Words(["low", "mid", "high", "top"], encode, len(VOCABULARY))
    return Dataset(matched, images.x, texts.y, validation, test, metadata)


def begin(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> None:
    """Leaves what a run has written before its first step."""
    with taken(workdir, config):
        pass


def main(workdir: str, num_devices: str, *overrides: str) -> None:
    jax.config.update("jax_num_cpu_devices", int(num_devices))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    icons.load_data = lambda config, workdir: dataset()
    settings = {key: json.loads(value) for key, value in (o.split("=") for o in overrides)}
    state = loop.train(config(**settings), workdir)
    leaves = jax.tree_util.tree_leaves_with_path(state.params)
    params = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
    np.savez(pathlib.Path(workdir) / "params.npz", **params)


if __name__ == "__main__":
    main(*sys.argv[1:])

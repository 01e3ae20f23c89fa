"""What tests of captioned images share: words of colours, and a config of a few tiny steps."""

import pathlib

import numpy as np

from gentle_clip_jax.tasks import default_config
from gentle_clip_jax.tasks.captioned_images import task as field
from gentle_clip_jax.training.train_state import init_state

CONFIGS = pathlib.Path(__file__).parents[3] / "configs"
COLOURS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230), "grey": (120,) * 3}
WORDS = ["", "field", "of", "with", "lines", *COLOURS, "a", "photo"]
COUNTS = {"train": 48, "val": 8, "test": 12}


def encode(texts, max_tokens: int = 6) -> np.ndarray:
    rows = [[WORDS.index(word) for word in text.split()] for text in texts]
    return np.array([row + [0] * (max_tokens - len(row)) for row in rows], np.int32)


def initial(settings, dataset):
    """The state before the first step."""
    return init_state(settings, field, dataset, field.build_model(settings, dataset))


def config(folder, **overrides):
    result = default_config("captioned_images")
    tiny = {
        "data.folder": str(folder),
        "data.sets": ("one", "two"),
        "data.zero_shot": ("one:test", "two:"),
        "data.prompt": "a photo of {label}",
        "data.matched_fraction": 0.25,
        "data.size": 16,
        "data.max_tokens": 6,
        "model.embedding_dim": 8,
        "model.image.trained_blocks": 1,
        "train.steps": 4,
        "train.batch_matched": 8,
        "train.batch_unmatched": 8,
        "train.checkpoint_every": 2,
        "train.log_every": 1,
        "train.keep_start": True,
    }
    with result.unlocked():
        result.update_from_flattened_dict(tiny | overrides)
    return result

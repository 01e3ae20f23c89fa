"""Two sets of captioned images, and towers of a few thousand random parameters."""

import json
import pathlib

import jax
import numpy as np
import pytest
from captioned_sets import COLOURS, COUNTS, WORDS, encode
from PIL import Image

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.clip import ImageTransformer
from gentle_clip_jax.encoders.published.pretrained import Pretrained
from gentle_clip_jax.tasks.captioned_images import task as field


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sets of noisy coloured squares with two captions each."""
    root, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    for name in ("one", "two"):
        lines = []
        (root / name).mkdir()
        for split, count in COUNTS.items():
            for number in range(count):
                label = [*COLOURS][number % len(COLOURS)]
                pixels = rng.integers(0, 25, (20, 16, 3)) + np.array(COLOURS[label])
                item = f"{split}_{number}"
                Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{item}.png")
                captions = [f"a {label} field", f"field of {label} lines"]
                lines.append({"id": item, "split": split, "label": label, "captions": captions})
        rows = "\n".join(json.dumps(line) for line in lines)
        (root / name / "metadata.jsonl").write_text(rows)
    return root


@pytest.fixture
def towers(monkeypatch):
    """Stands in for published weights."""
    models = {
        "image": ImageTransformer(16, 8, 16, 2, 2, 16, dim=16),
        "text": Bert(len(WORDS), 16, 2, 2, 16, max_tokens=8),
    }
    rows = {"image": np.zeros((1, 16, 16, 3), np.uint8), "text": np.ones((1, 4), np.int32)}

    def load(encoder, role):
        params = models[role].init(jax.random.key(len(encoder)), rows[role])["params"]
        return Pretrained(models[role], params, pathlib.Path(encoder), role)

    monkeypatch.setattr(field, "_load", load)
    monkeypatch.setattr(field.pretrained, "folder", pathlib.Path)
    monkeypatch.setattr(field, "read_tokenizer", lambda folder: encode)

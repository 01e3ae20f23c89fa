"""Every tower is traced with a number of items that is not known yet."""

import jax
import numpy as np
import pytest
from jax import export

from gentle_clip_jax.encoders import (
    bert,
    clip,
    efficientnet_lite,
    esm2,
)
from gentle_clip_jax.encoders.fine_tuning import FineTuned
from gentle_clip_jax.encoders.patch_transformer import PatchTransformer
from gentle_clip_jax.encoders.text import TextTransformer

IMAGE, TOKENS = np.zeros((1, 32, 32, 3), np.uint8), np.ones((1, 8), np.int32)
SMALL = {"width": 16, "depth": 1, "num_heads": 2, "hidden": 16}
PATCHES = {"image_size": 32, "patch_size": 16, **SMALL}
VISION = clip.ImageTransformer(**PATCHES, dim=8)
TOWERS = {
    "efficientnet": (efficientnet_lite.EfficientNetLite0(), IMAGE),
    "clip_image": (VISION, IMAGE),
    "clip_text": (clip.TextTransformer(vocab_size=9, max_tokens=8, **SMALL, dim=8), TOKENS),
    "bert": (bert.Bert(vocab_size=9, **SMALL, layers=(0, 1)), TOKENS),
    "esm2": (esm2.ESM2(**SMALL), TOKENS),
    "fine_tuned": (FineTuned(VISION, trained_blocks=1, lora_rank=2), IMAGE),
    "glyphs": (PatchTransformer(depth=1), IMAGE[..., 0]),
    "names": (TextTransformer(9), TOKENS),
}


@pytest.mark.parametrize("name", TOWERS)
def test_any_number_of_items(name):
    module, items = TOWERS[name]
    params = jax.eval_shape(module.init, jax.random.key(0), items)
    (batch,) = export.symbolic_shape("batch")
    rows = jax.ShapeDtypeStruct((batch, *items.shape[1:]), items.dtype)
    assert jax.jit(module.apply).trace(params, rows).out_info.shape[0] == batch

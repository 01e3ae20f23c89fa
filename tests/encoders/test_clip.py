"""CLIP's towers beside the programs that their checkpoints come from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders import clip
from gentle_clip_jax.encoders.published import pretrained, weight_files

originals = pytest.importorskip("originals", reason="run pip install '.[parity]' for these tests")
torch = originals.torch

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
TOKENS = np.array([[40, 3, 41, 0, 0], [40, 5, 6, 7, 41], [40, 41, 41, 9, 39], [40, 8, 41, 41, 41]])
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
VISION = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2}
TEXT = {"hidden_size": 16, "intermediate_size": 36, "num_hidden_layers": 3, "vocab_size": 42}


def hugging_face(**text):
    transformers = pytest.importorskip("transformers")
    config = transformers.CLIPConfig(
        vision_config=VISION | {"num_attention_heads": 3, "image_size": 16, "patch_size": 4},
        text_config=TEXT | {"num_attention_heads": 4, "max_position_embeddings": 7} | text,
        projection_dim=12,
        attn_implementation="eager",
    )
    return originals.randomized(transformers.CLIPModel(config))


def apply(model, params, inputs):
    features = jax.jit(model.apply)({"params": params}, inputs)
    assert features.dtype == jnp.float32
    return features


def load(towers, weights):
    """The towers' params."""
    inputs = jnp.asarray(IMAGES), jnp.asarray(TOKENS)
    return [
        pretrained.load_params(
            tower, inputs_, weights, clip.checkpoint_names(tower), clip.UNUSED[role]
        )
        for tower, inputs_, role in zip(towers, inputs, clip.UNUSED)
    ]


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("end", [{"eos_token_id": 41}, {"eos_token_id": 2}])
def test_hugging_face(act, end, tmp_path):
    theirs = hugging_face(hidden_act=act, **end)
    theirs.save_pretrained(tmp_path)
    config = theirs.config.to_dict()
    weights = weight_files.read_weights(tmp_path / "model.safetensors")
    towers = clip.from_config(config)
    image, text = (
        tower.clone(mean=MEAN, std=STD) if i == 0 else tower for i, tower in enumerate(towers)
    )
    image_params, text_params = load((image, text), weights)
    with torch.no_grad():
        images, texts = (
            theirs.get_image_features(originals.pixels(IMAGES, MEAN, STD)).pooler_output,
            theirs.get_text_features(torch.tensor(TOKENS)).pooler_output,
        )
        short = theirs.get_text_features(torch.tensor(TOKENS[:2, :3])).pooler_output
    originals.assert_close(apply(image, image_params, IMAGES), images)
    originals.assert_close(apply(text, text_params, TOKENS), texts)
    originals.assert_close(apply(text, text_params, TOKENS[:2, :3]), short)


@pytest.mark.slow
def test_dropout_and_half_precision():
    image = clip.ImageTransformer(16, 4, 24, 2, 3, 40, 12, dropout=0.5, dtype=jnp.bfloat16)
    text = clip.TextTransformer(42, 7, 16, 2, 4, 36, 12, dropout=0.5, dtype=jnp.bfloat16)
    for tower, inputs in ((image, IMAGES), (text, TOKENS)):
        with jax.numpy_dtype_promotion("standard"):  # jax.nn.dot_product_attention promotes
            params = jax.jit(tower.init)(jax.random.key(0), inputs)
            train = functools.partial(tower.apply, train=True, rngs={"dropout": jax.random.key(1)})
            same, other = jax.jit(tower.apply)(params, inputs), jax.jit(train)(params, inputs)
        assert same.dtype == other.dtype == jnp.float32
        assert not np.allclose(same, other)


def test_what_does_not_suit_is_said():
    image = clip.ImageTransformer(16, 4, 24, 2, 3, 40, 12)
    with pytest.raises(ValueError, match="16 x 16 pixels and 3 colours: resize them"):
        image.init(jax.random.key(0), jnp.zeros((1, 20, 16, 3)))
    text = clip.TextTransformer(42, 7, 16, 2, 4, 36, 12)
    with pytest.raises(ValueError, match="Texts of 8 tokens are longer than the 7"):
        text.init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))
    with pytest.raises(ValueError, match="of the type bert is no CLIP"):
        clip.from_config({"model_type": "bert"})
    with pytest.raises(ValueError, match="hidden_act relu: only quick_gelu"):
        clip.from_config({"model_type": "clip", "vision_config": {"hidden_act": "relu"}})

"""SigLIP's towers beside transformers'."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.encoders import siglip
from gentle_clip_jax.encoders.published import pretrained, weight_files

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
TOKENS = np.array([[3, 4, 1, 1], [5, 6, 7, 1], [8, 1, 1, 1], [9, 10, 11, 12]])
SIZES = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """transformers' model, and the towers and weights of what it saved."""
    torch = pytest.importorskip("torch", reason="run pip install '.[parity]' for these tests")
    transformers = pytest.importorskip("transformers")
    config = transformers.SiglipConfig(
        vision_config=SIZES | {"num_attention_heads": 3, "image_size": 16, "patch_size": 4},
        text_config=SIZES
        | {"num_attention_heads": 4, "max_position_embeddings": 6, "vocab_size": 20}
        | {"projection_size": 10},
        attn_implementation="eager",
    )
    model = transformers.SiglipModel(config).eval()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.2)
        if "norm" in name and name.endswith("weight"):
            tensor.copy_(tensor.abs() + 0.7)
    folder = tmp_path_factory.mktemp("siglip")
    model.save_pretrained(folder)
    weights = weight_files.split_attention(weight_files.read_weights(folder / "model.safetensors"))
    return model, siglip.from_config(model.config.to_dict()), weights


def features(tower, role, inputs, weights):
    names = siglip.checkpoint_names(tower)
    params = pretrained.load_params(tower, jnp.asarray(inputs), weights, names, siglip.UNUSED[role])
    result = jax.jit(tower.apply)({"params": params}, inputs)
    assert result.dtype == jnp.float32
    return result


def close(ours, theirs):
    theirs = theirs.pooler_output.detach().numpy()
    assert ours.shape == theirs.shape
    assert 0.1 < np.abs(theirs).mean() < 10
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_images(checkpoint):
    torch = pytest.importorskip("torch")
    theirs, (image, _), weights = checkpoint
    pixels = torch.tensor(IMAGES.transpose(0, 3, 1, 2) / 127.5 - 1, dtype=torch.float32)
    close(features(image, "image", IMAGES, weights), theirs.get_image_features(pixels))


def test_texts_are_padded_to_the_length_of_training(checkpoint):
    torch = pytest.importorskip("torch")
    theirs, (_, text), weights = checkpoint
    padded = np.pad(TOKENS, ((0, 0), (0, 2)), constant_values=1)
    expected = theirs.get_text_features(torch.tensor(padded))
    close(features(text, "text", TOKENS, weights), expected)
    close(features(text, "text", padded, weights), expected)


def test_cut_and_foreign_checkpoints_are_refused(checkpoint):
    _, (image, text), weights = checkpoint
    cut = {name: w for name, w in weights.items() if name != "vision_model.head.probe"}
    with pytest.raises(ValueError, match=r"not of ImageTransformer: .*probe is miss"):
        features(image, "image", IMAGES, cut)
    more = weights | {"text_model.encoder.layers.2.mlp.fc1.bias": np.zeros(40, np.float32)}
    with pytest.raises(ValueError, match=r"layers.2.mlp.fc1.bias has no place in it"):
        features(text, "text", TOKENS, more)


def test_other_configs_are_refused():
    with pytest.raises(ValueError, match="of the type clip is no SigLIP"):
        siglip.from_config({"model_type": "clip"})
    with pytest.raises(ValueError, match="without vision_use_head"):
        siglip.from_config({"model_type": "siglip", "vision_config": {"vision_use_head": False}})


@pytest.mark.slow
def test_half_precision_and_long_texts():
    text = siglip.TextTransformer(20, 6, 24, 1, 3, 40, 10, dtype=jnp.bfloat16)
    image = siglip.ImageTransformer(16, 4, 24, 1, 3, 40, dtype=jnp.bfloat16)
    for tower, inputs in ((text, TOKENS), (image, IMAGES)):
        with jax.numpy_dtype_promotion("standard"):  # jax.nn.dot_product_attention promotes
            result, _ = tower.init_with_output(jax.random.key(0), inputs)
        assert result.dtype == jnp.float32
    with pytest.raises(ValueError, match="Texts of 7 tokens are longer than the 6"):
        text.init(jax.random.key(0), jnp.zeros((1, 7), jnp.int32))

"""ViT and DINOv2 beside transformers' and timm's."""

import numpy as np
import pytest
from originals import apply, assert_close, pixels, randomized, saved, torch

from gentle_clip_jax.encoders import vision_transformer
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.encoders.published.layers import with_layers

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
WIDE = RNG.integers(0, 256, (2, 24, 29, 3), dtype=np.uint8)  # 29 is no whole number of patches
NARROW = RNG.integers(0, 256, (2, 8, 12, 3), dtype=np.uint8)
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 16,
    "patch_size": 4,
    "attn_implementation": "eager",
}
KINDS = {
    "ViT": ("ViT", {"intermediate_size": 40}),
    "ViT without biases": ("ViT", {"intermediate_size": 40, "qkv_bias": False}),
    "DINOv2": ("Dinov2", {"mlp_ratio": 2}),
    "DINOv2 with SwiGLU": ("Dinov2", {"mlp_ratio": 2, "use_swiglu_ffn": True}),
    "DINOv2 with registers": ("Dinov2WithRegisters", {"mlp_ratio": 2, "num_register_tokens": 3}),
}


def original(kind, task="Model"):
    transformers = pytest.importorskip("transformers")
    name, settings = KINDS[kind]
    config = getattr(transformers, f"{name}Config")(**SIZES, **settings)
    return randomized(getattr(transformers, f"{name}{task}")(config))


@pytest.mark.parametrize("kind", KINDS)
def test_hugging_face(kind, tmp_path):
    """The final token of each place, of images of another size too."""
    theirs = original(kind)
    saved(theirs, tmp_path, preprocessor_config={"image_mean": MEAN, "image_std": STD})
    ours = pretrained.load(tmp_path)
    assert ours.role == "image"
    interpolate = {"interpolate_pos_encoding": True} if "ViT" in kind else {}
    for images in (IMAGES, WIDE, NARROW)[: 1 if "SwiGLU" in kind or "out" in kind else 3]:
        with torch.no_grad():
            states = theirs(pixels(images, MEAN, STD), **interpolate).last_hidden_state
        assert_close(apply(ours, images, method="tokens"), states)


@pytest.mark.parametrize("kind", ["ViT", "DINOv2 with registers"])
def test_what_is_above_the_class_token_is_left(kind, tmp_path):
    theirs = original(kind, "ForImageClassification")
    ours = pretrained.load(saved(theirs, tmp_path), role="image")
    with torch.no_grad():
        encoder = getattr(theirs, theirs.base_model_prefix)
        pair = (ours.model.mean, ours.model.std)
        states = encoder(pixels(IMAGES, *pair)).last_hidden_state
    assert_close(apply(ours, IMAGES), states[:, 0])
    assert_close(apply(ours, IMAGES, method="patch_tokens"), states[:, -16:])


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_dinov2"])
def test_timm(name, tmp_path):
    timm = pytest.importorskip("timm")
    save = pytest.importorskip("timm.models").save_for_hf
    args = {"img_size": 16, "patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3}
    theirs = randomized(timm.create_model(name, **args, dynamic_img_size=True))
    about = {"mean": MEAN, "std": STD, "input_size": [3, 16, 16], "interpolation": "bicubic"}
    about = {"pretrained_cfg": about | {"crop_pct": 0.8}}
    save(theirs, tmp_path, model_config=about, safe_serialization=True)
    ours = pretrained.load(tmp_path)
    assert ours.framing == (16, 20, False, 3)
    for images in (IMAGES, NARROW):
        with torch.no_grad():
            tokens = theirs.forward_features(pixels(images, MEAN, STD))
        assert_close(apply(ours, images), tokens[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_cut_and_foreign_checkpoints_are_refused(kind, tmp_path):
    from safetensors.numpy import load_file, save_file

    path = saved(original(kind), tmp_path) / "model.safetensors"
    weights = load_file(path)
    final = "layernorm.weight"
    save_file({name: w for name, w in weights.items() if name != final}, path)
    with pytest.raises(ValueError, match=r"not of ClassTokenTransformer: layernorm.weight is m"):
        pretrained.load(tmp_path)
    save_file(weights | {"encoder.layer.2.norm.bias": np.zeros(24, np.float32)}, path)
    with pytest.raises(ValueError, match=r"encoder.layer.2.norm.bias has no place in it"):
        pretrained.load(tmp_path)
    save_file(weights | {final: np.ones(23, np.float32)}, path)
    with pytest.raises(ValueError, match=r"layernorm.weight has the shape \(23,\)"):
        pretrained.load(tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "swin"}, "type swin is no ViT or DINOv2"),
        ({"model_type": "vit", "hidden_act": "relu"}, "asks for hidden_act or image_size"),
        ({"architecture": "vit_giant_patch14_dinov2"}, "vit_giant_patch14_dinov2 is no ViT"),
        (
            {"architecture": "vit_tiny_patch16_224", "model_args": {"global_pool": "avg"}},
            "model_args global_pool",
        ),
    ],
)
def test_other_configs_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        vision_transformer.from_config(config)


def test_layers_of_hugging_face(tmp_path):
    """Class tokens of hidden layers, by number, each through the last norm."""
    theirs = original("ViT")
    ours = pretrained.load(saved(theirs, tmp_path))
    ours = ours._replace(model=with_layers(ours.model, "0,1,2", of="vit"))
    with torch.no_grad():
        found = theirs(pixels(IMAGES, ours.model.mean, ours.model.std), output_hidden_states=True)
        expected = torch.cat([theirs.layernorm(h)[:, 0] for h in found.hidden_states], dim=1)
    assert_close(apply(ours, IMAGES), expected)

"""Conversion of an open_clip checkpoint of CLIP to Hugging Face's form."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.encoders.modified_resnet import MEAN, STD
from gentle_clip_jax.encoders.published.weight_files import split_attention

# Keys of a tower that are read here, or that have no effect on features.
_VISION = "image_size layers width head_width mlp_ratio patch_size patch_dropout output_tokens"
_TEXT = (
    "context_length vocab_size width heads layers mlp_ratio output_tokens "
    "hf_tokenizer_name tokenizer_mode tokenizer_kwargs eos_id pad_id"
)
# Keys whose usual value is the only one.
_USUAL = {
    "pool_type": ("tok", "argmax"),
    "pos_embed_type": ("learnable",),
    "proj_type": ("linear",),
}
RESAMPLING = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
# Beginnings of names, and what stands for them.
_TOP = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.": "vision_model.embeddings.patch_embedding.",
    "visual.ln_pre.": "vision_model.pre_layrnorm.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
    "visual.ln_post.": "vision_model.post_layernorm.",
    "visual.proj": "visual_projection.weight",
    "token_embedding.": "text_model.embeddings.token_embedding.",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "transformer.resblocks.": "text_model.encoder.layers.",
    "ln_final.": "text_model.final_layer_norm.",
    "text_projection": "text_projection.weight",
}
_INSIDE = {
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    ".attn.": ".self_attn.",
    ".mlp.c_fc.": ".mlp.fc1.",
    ".mlp.c_proj.": ".mlp.fc2.",
}
_TURNED = ("visual.proj", "text_projection")


def config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CLIPModel's config.json from an open_clip_config.json.

    Raises:
      ValueError: it is of a kind that CLIP itself is not.
    """
    try:
        model = metadata["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        _check(vision, text)
        return _config(model, vision, text)
    except LookupError as error:
        raise ValueError(f"The open_clip_config.json has no {error}.") from error


def _check(vision: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    for tower, supported in ((vision, _VISION.split()), (text, _TEXT.split())):
        for key, value in tower.items():
            if value and key not in supported and value not in _USUAL.get(key, ()):
                raise ValueError(f"An open_clip model with {key} {value} is not supported.")


def _config(
    model: Mapping[str, Any], vision: Mapping[str, Any], text: Mapping[str, Any]
) -> dict[str, Any]:
    act = "quick_gelu" if model.get("quick_gelu") else "gelu"
    size = {"image_size": vision.get("image_size", 224)}
    if isinstance(vision["layers"], list):
        vision_config = size | {"layers": vision["layers"], "width": vision.get("width", 64)}
    else:
        heads = vision["width"] // vision.get("head_width", 64)
        patch_size = {"patch_size": vision["patch_size"]}
        vision_config = size | patch_size | _tower(vision, heads, act)
    text_config = {
        "vocab_size": text.get("vocab_size", 49408),
        "max_position_embeddings": text.get("context_length", 77),
        "eos_token_id": 2,  # the highest id, as Hugging Face writes it
        **_tower(text, text["heads"], act),
    }
    return {
        "model_type": "clip",
        "projection_dim": model["embed_dim"],
        "vision_config": vision_config,
        "text_config": text_config,
    }


def _tower(config: Mapping[str, Any], num_heads: int, act: str) -> dict[str, Any]:
    return {
        "hidden_size": config["width"],
        "num_hidden_layers": config["layers"],
        "num_attention_heads": num_heads,
        "intermediate_size": int(config["width"] * config.get("mlp_ratio", 4.0)),
        "hidden_act": act,
    }


def preprocessing(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return a preprocessor_config.json from an open_clip_config.json.

    Raises:
      ValueError: images are to be resized in a way that is not supported.
    """
    own, size = (
        metadata.get("preprocess_cfg") or {},
        metadata["model_cfg"]["vision_cfg"].get("image_size", 224),
    )
    mode, method = own.get("resize_mode", "shortest"), own.get("interpolation", "bicubic")
    if mode not in ("shortest", "squash") or method not in RESAMPLING:
        raise ValueError(f"Images resized by {mode}, {method} are not supported.")
    square = {"height": size, "width": size}
    return {
        "image_mean": own.get("mean", MEAN),
        "image_std": own.get("std", STD),
        "resample": RESAMPLING[method],
        "size": {"shortest_edge": size} if mode == "shortest" else square,
        "crop_size": square,
    }


def weights(theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights under the names of Hugging Face; those of a ResNet keep their own."""
    plain = {_plain(name): array for name, array in theirs.items()}
    resnet = "visual.attnpool.c_proj.weight" in plain
    renamed = {}
    for name, array in split_attention(plain).items():
        if not (resnet and name.startswith("visual.")):
            array = array.T if name in _TURNED else array
            name = _renamed(name)
        renamed[name] = array
    return renamed


def _plain(name: str) -> str:
    # Training on several devices puts one before names, a text tower of its own the other.
    return name.removeprefix("module.").removeprefix("text.")


def _renamed(name: str) -> str:
    start = next((start for start in _TOP if name.startswith(start)), None)
    if start is None:
        return name
    name = _TOP[start] + name.removeprefix(start)
    for old, new in _INSIDE.items():
        name = name.replace(old, new)
    return name

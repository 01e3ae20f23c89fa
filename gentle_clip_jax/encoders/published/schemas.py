"""Schemas of published configs: kinds, signs and sizes of their values.

They are looked at before a model is built: a wrong one would end somewhere inside, or not at all.
Keys that are not read here may be anything.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from gentle_clip_jax.storage import reading

# The largest that was published, and some room.
Width = Annotated[int, Meta(ge=1, le=65_536)]
Depth = Annotated[int, Meta(ge=1, le=256)]
Heads = Annotated[int, Meta(ge=1, le=1024)]
Side = Annotated[int, Meta(ge=1, le=2048)]  # pixels
Length = Annotated[int, Meta(ge=1, le=1_000_000)]  # tokens
Vocabulary = Annotated[int, Meta(ge=1, le=10_000_000)]
Id = Annotated[int, Meta(ge=0, le=10_000_000)]
Positive = Annotated[float, Meta(gt=0, le=1e6)]
Epsilon = Annotated[float, Meta(gt=0, lt=1)]
Mean = Annotated[list[Annotated[float, Meta(ge=-1e6, le=1e6)]], Meta(min_length=3, max_length=3)]
Std = Annotated[list[Positive], Meta(min_length=3, max_length=3)]
_MOST_PATCHES = 65_536
_ESM = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
_REQUIRED = {"esm": (*_ESM, "intermediate_size", "layer_norm_eps", "pad_token_id", "mask_token_id")}


class Tower(Struct):
    """Keys of Hugging Face's config.json, at its top or in the config of a tower."""

    hidden_size: Width | None = None
    num_hidden_layers: Depth | None = None
    num_attention_heads: Heads | None = None
    intermediate_size: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    image_size: Side | None = None
    patch_size: Side | None = None
    vocab_size: Vocabulary | None = None
    max_position_embeddings: Length | None = None
    type_vocab_size: Length | None = None
    projection_dim: Width | None = None
    layer_norm_eps: Epsilon | None = None
    rope_theta: Positive | None = None
    hidden_act: str | None = None
    position_embedding_type: str | None = None
    pad_token_id: Id | None = None
    mask_token_id: Id | None = None
    eos_token_id: Id | None = None
    token_dropout: bool | None = None
    emb_layer_norm_before: bool | None = None


class HuggingFace(Tower):
    """A config.json with a model_type."""

    vision_config: Tower | None = None
    text_config: Tower | None = None
    vision_config_dict: Tower | None = None
    text_config_dict: Tower | None = None


class Images(Struct):
    """A preprocessor_config.json."""

    size: Side | dict[str, Side | None] | None = None
    crop_size: Side | dict[str, Side | None] | None = None
    do_resize: bool | None = None
    do_rescale: bool | None = None
    do_normalize: bool | None = None
    do_center_crop: bool | None = None
    rescale_factor: Positive | None = None
    resample: Annotated[int, Meta(ge=0, le=5)] | None = None
    image_mean: Mean | None = None
    image_std: Std | None = None


class Processor(Struct):
    """A processor_config.json."""

    image_processor: Images | None = None


class Sentences(Struct):
    """A sentence_bert_config.json."""

    max_seq_length: Length | None = None


class Pooling(Struct):
    """A 1_Pooling/config.json."""

    pooling_mode_cls_token: bool | None = None


class Index(Struct):
    """An index of several .safetensors files."""

    weight_map: dict[str, str]


def checked_model(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a Hugging Face config.json; return it without the keys whose value is null.

    Raises:
      ValueError: a value has the wrong type, sign or size; the message names its key.
    """
    reading.check_schema(where, config, HuggingFace)
    for key in _REQUIRED.get(config["model_type"], ()):
        if config.get(key) is None:
            raise ValueError(f"{where} has no {key}: copy it again from where it was published.")
    parts = [config.get(name) or {} for name in HuggingFace.__struct_fields__ if "config" in name]
    for part in (config, *parts):
        width, heads = part.get("hidden_size"), part.get("num_attention_heads")
        if width and heads and width % heads:
            raise ValueError(f"{where}: {heads} attention heads cannot share hidden_size {width}.")
        size, patch = part.get("image_size"), part.get("patch_size")
        if size and patch and not 1 <= (size // patch) ** 2 <= _MOST_PATCHES:
            raise ValueError(
                f"{where}: an image_size of {size} cannot be cut into patches of {patch}."
            )
    return _without_nulls(config)


def _without_nulls(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if value is not None
    }

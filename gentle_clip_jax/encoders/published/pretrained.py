"""Published encoders: their weights, as the params of their models."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.encoders import bert, clip, efficientnet_lite, esm2
from gentle_clip_jax.encoders.adapters import sources
from gentle_clip_jax.encoders.published import checkpoints, packaged, schemas
from gentle_clip_jax.encoders.published.framing import Framing, from_preprocessing
from gentle_clip_jax.encoders.published.params import load_params
from gentle_clip_jax.encoders.published.torch_files import read_pth
from gentle_clip_jax.encoders.published.weight_files import read_safetensors, read_weights
from gentle_clip_jax.storage import reading

# What a checkpoint of each model_type has a tower for.
_ROLES: dict[str, tuple[str, ...]] = {
    "clip": ("image", "text"),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert"), ("text",)),
    "esm": ("sequence",),
}
_PACKAGED = {"efficientnet-lite0": ("image",), "minilm": ("text",)}


class Pretrained(NamedTuple):
    """A model with its published params, and the file that they come from, or its index.

    role: image, text or sequence, what it takes. max_tokens: of a text, how many were in training.
    framing: of an image, how it was made square in training.
    """

    model: nn.Module
    params: dict[str, Any]
    path: pathlib.Path
    role: str
    max_tokens: int | None = None
    framing: Framing = Framing()


def load(source: str | os.PathLike, *, role: str | None = None) -> Pretrained:
    """Return the encoder that `source` names, with its published weights.

    `source` is efficientnet-lite0, minilm, the folder of a checkpoint of transformers, or the name
    of a Hugging Face repo with one. `role` is image, text or sequence; it
    chooses between towers, and may be left out where there is but one.

    Raises:
      ValueError: there is no such checkpoint or role, or it is of a kind that is not supported.
    """
    if str(source) in _PACKAGED:
        _checked_role(source, role, _PACKAGED[str(source)])
        return efficientnet_lite0() if str(source) == "efficientnet-lite0" else minilm()
    checkpoint, kind = _found(source)
    role = _checked_role(source, role, _ROLES[kind])
    try:
        return _loaded(checkpoint, kind, role)
    except (ValueError, OSError):
        raise
    except Exception as error:  # of flax, jax and numpy, where parts do not fit: any kind
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"No encoder can be made of {checkpoint.folder} ({reason}): copy all its files again."
        ) from error


def _loaded(checkpoint: checkpoints.Checkpoint, kind: str, role: str) -> Pretrained:
    path = checkpoint.folder / "config.json"
    checkpoint = checkpoint._replace(config=schemas.checked_model(str(path), checkpoint.config))
    weights = read_weights(checkpoint.weights)
    model, names, unused = _tower(kind, role, checkpoint, weights)
    framing, max_tokens, inputs = Framing(), None, jnp.zeros((1, 2), jnp.int32)
    if role == "image":
        size: int = getattr(model, "image_size", 224)
        inputs = jnp.zeros((1, size, size, 3))
        framing = from_preprocessing(checkpoint.preprocessing, size)
        model = _normalizing(model, checkpoint.preprocessing)
    elif role == "text":
        path = checkpoint.folder / "sentence_bert_config.json"
        sentence_config = reading.read_json_if_there(path, schemas.Sentences)
        max_tokens = min(
            sentence_config.get("max_seq_length") or model.max_tokens, model.max_tokens
        )
    params = load_params(model, inputs, weights, names, unused)
    return Pretrained(model, params, checkpoint.weights, role, max_tokens, framing)


def role_of(source: str | os.PathLike, role: str | None = None) -> str:
    """Return the role in which an encoder embeds, that of its only tower if `role` is None.

    Weights are not read. `source` may be of another library, too, see `adapters`.

    Raises:
      ValueError: there is no such encoder or role, or several and none is chosen.
    """
    name = str(source)
    if sources.is_adapted(name):
        return _checked_role(source, role, sources.roles(name))
    return _checked_role(source, role, _PACKAGED.get(name) or _ROLES[_found(source)[1]])


def folder(source: str | os.PathLike) -> pathlib.Path:
    """Return the folder of the files beside an encoder's weights, such as its tokenizer.

    Raises:
      ValueError: there is no such encoder.
    """
    if str(source) in _PACKAGED:
        is_text = "text" in _PACKAGED[str(source)]
        return packaged.minilm_folder() if is_text else packaged.efficientnet_folder()
    return checkpoints.find(source).folder


def _checked_role(source: str | os.PathLike, role: str | None, roles: tuple[str, ...]) -> str:
    if role is None and len(roles) > 1:
        raise ValueError(f"{source} has a tower for each role {' and '.join(roles)}: choose one.")
    if role is not None and role not in roles:
        raise ValueError(
            f"{source} is no encoder for the role {role}, but for {' or '.join(roles)}."
        )
    return role or next(iter(roles))


def _found(source: str | os.PathLike) -> tuple[checkpoints.Checkpoint, str]:
    """Return the checkpoint and the type of its model."""
    checkpoint = checkpoints.find(source)
    config = checkpoint.config
    kind = config["model_type"]
    if not isinstance(kind, str) or kind not in _ROLES:
        raise ValueError(
            f"{source} holds a model of the type {kind}, and not one of {', '.join(_ROLES)}: give "
            f"transformers:{source}, which reads it by that library."
        )
    return checkpoint, kind


def _tower(
    kind: str, role: str, checkpoint: checkpoints.Checkpoint, weights: Mapping[str, np.ndarray]
) -> tuple[Any, dict[str, str], str]:
    """Return a model, the names of its weights, and the names of weights to ignore."""
    config, number = checkpoint.config, ("image", "text").index(role) if role != "sequence" else 0
    if kind == "clip":
        model = clip.from_config(config)[number]
        return model, clip.checkpoint_names(model), clip.UNUSED[role]
    if kind == "esm":
        model = esm2.from_config(config)
        return model, esm2.checkpoint_names(model.depth, weights), esm2.UNUSED
    pooling = reading.read_json_if_there(
        checkpoint.folder / "1_Pooling" / "config.json", schemas.Pooling
    )
    model = bert.from_config(config, "class" if pooling.get("pooling_mode_cls_token") else "mean")
    return model, bert.checkpoint_names(model, weights), bert.UNUSED


def _normalizing(model: Any, preprocessing: Mapping[str, Any]) -> Any:
    """Return the model with the mean and std of its training's pixels."""
    if not preprocessing.get("do_normalize", True):
        return model.clone(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return model.clone(
        mean=tuple(preprocessing.get("image_mean") or model.mean),
        std=tuple(preprocessing.get("image_std") or model.std),
    )


def efficientnet_lite0() -> Pretrained:
    """Return EfficientNet-Lite0, trained on ImageNet.

    Raises:
      ValueError: the package with the weights is not installed, or has other weights.
    """
    path = packaged.known(packaged.efficientnet_folder() / "efficientnet-lite0-57934424.pth")
    model, images = efficientnet_lite.EfficientNetLite0(), jnp.zeros((1, 224, 224, 3))
    names, unused = efficientnet_lite.checkpoint_names(), efficientnet_lite.UNUSED
    params = load_params(model, images, read_pth(path), names, unused)
    return Pretrained(model, params, path, "image")


def minilm() -> Pretrained:
    """Return all-MiniLM-L6-v2, trained on pairs of sentences.

    Its tokenizer.json lies beside its weights.

    Raises:
      ValueError: the package with the weights is not installed, or has other weights.
    """
    path = packaged.known(packaged.minilm_folder() / "model.safetensors")
    model, tokens = bert.Bert(), jnp.zeros((1, 8), jnp.int32)
    names, unused = bert.checkpoint_names(model), bert.UNUSED
    params = load_params(model, tokens, read_safetensors(path), names, unused)
    return Pretrained(model, params, path, "text", 256)

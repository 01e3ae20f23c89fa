"""Folders of published checkpoints, local or on Hugging Face, and their contents."""

import os
import pathlib
import re
from typing import Any, NamedTuple

from gentle_clip_jax.encoders.published import schemas
from gentle_clip_jax.storage.reading import read_json_if_there

_SETTINGS = ["*config.json", "tokenizer.json", "vocab.txt"]
_INDEX = "model.safetensors.index.json"
_WEIGHTS = ("model.safetensors", _INDEX)


class Checkpoint(NamedTuple):
    """config: as Hugging Face writes it. weights: a file, or the index of several.

    preprocessing: of images, as in preprocessor_config.json; empty if there is none.
    """

    folder: pathlib.Path
    config: dict[str, Any]
    weights: pathlib.Path
    preprocessing: dict[str, Any]


def find(source: str | os.PathLike) -> Checkpoint:
    """Return the checkpoint in a folder, in a file beside its config, or in a Hugging Face repo.

    Raises:
      ValueError: there is none, or it cannot be fetched; says what to do.
    """
    path = pathlib.Path(source)
    if not path.exists():
        path = _fetched(str(source))
    folder = path if path.is_dir() else path.parent
    config = read_json_if_there(folder / "config.json")
    if "model_type" not in config:
        library = "open_clip" if (folder / "open_clip_config.json").exists() else "timm"
        raise ValueError(
            f"{folder} has no config.json with a model_type: give the folder of a whole "
            f"checkpoint, or read one of {library} by {library}:{source}."
        )
    weights = path if path.is_file() else _weights(folder)
    if weights is None:
        raise ValueError(
            f"{folder} has no weights in a .safetensors file: copy model.safetensors into it; "
            "save_pretrained of transformers writes it."
        )
    return Checkpoint(folder, config, weights, _of_processor(folder))


def settings(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the files beside weights that process inputs: configs and tokenizers."""
    paths = {
        path for pattern in (*_SETTINGS, "1_Pooling/config.json") for path in folder.glob(pattern)
    }
    return sorted(path for path in paths if path.is_file())


def _of_processor(folder: pathlib.Path) -> dict[str, Any]:
    # That of images alone, or what transformers 5 writes for images and texts.
    both = read_json_if_there(folder / "processor_config.json", schemas.Processor)
    own = read_json_if_there(folder / "preprocessor_config.json", schemas.Images)
    return own or both.get("image_processor") or {}


def _weights(folder: pathlib.Path) -> pathlib.Path | None:
    """Return the file of the usual name, or the only one that can hold weights."""
    named = [folder / name for name in _WEIGHTS if (folder / name).is_file()]
    others = [*folder.glob("*.safetensors")]
    return (named or (others if len(others) == 1 else [None]))[0]


def _fetched(source: str) -> pathlib.Path:
    """Return the folder of a Hugging Face repo, downloaded unless it is there."""
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", source):
        raise ValueError(
            f"There is no encoder {source}: choose efficientnet-lite0, minilm, the folder of a "
            "checkpoint, or a Hugging Face repo such as openai/clip-vit-large-patch14."
        )
    folder = fetch(source, _SETTINGS)
    if "model_type" in read_json_if_there(folder / "config.json"):
        fetch(source, [*_WEIGHTS, "model-*.safetensors"])
    return folder


def fetch(repo: str, patterns: list[str]) -> pathlib.Path:
    """Return the folder of a Hugging Face repo with its files of these patterns.

    Raises:
      ValueError: they are not there, and cannot be fetched; says what to do.
    """
    by_hand = f"download its files by hand into a folder, and give that folder instead of {repo}"
    try:
        import huggingface_hub
    except ImportError as error:
        raise ValueError(
            f"There is no folder {repo}, and huggingface_hub is not installed to fetch it: run "
            f"pip install huggingface_hub, or {by_hand}."
        ) from error
    try:
        return pathlib.Path(huggingface_hub.snapshot_download(repo, allow_patterns=patterns))
    except Exception as error:  # of the library and of what it calls: any kind
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"There is no folder {repo}, and it cannot be fetched from Hugging Face ({reason}): "
            f"{by_hand}."
        ) from error

"""Arrays by name from .safetensors files, and names that are spelled otherwise."""

import pathlib
from collections.abc import Collection, Sequence

import numpy as np

from gentle_clip_jax.encoders.published import schemas
from gentle_clip_jax.storage import reading

_INDEX = ".safetensors.index.json"


def read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return all arrays by name of a .safetensors file, or of an index of several.

    Raises:
      ValueError: a file is not there, or not sound.
    """
    files = parts(path)
    _check_files(path, files)
    return {name: array for file in files for name, array in read_safetensors(file).items()}


def parts(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that the weights of `path` are in: those that an index names, or itself.

    Raises:
      ValueError: the index names no files, or files elsewhere.
    """
    if not path.name.endswith(_INDEX):
        return [path]
    try:
        names = sorted(set(reading.read_json(path, schemas.Index)["weight_map"].values()))
    except ValueError as error:
        raise ValueError(f"{path} is no index of .safetensors files: {error}") from error
    if not names or any(pathlib.PurePath(name).name != name for name in names):
        raise ValueError(f"{path} must name files beside it, not {', '.join(names) or 'none'}.")
    return [path.with_name(name) for name in names]


def read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return all arrays of a .safetensors file by name.

    Raises:
      ValueError: the file is missing, or no .safetensors file.
    """
    from safetensors.numpy import load_file

    if not path.exists():
        raise ValueError(f"There is no file {path}: the weights were not copied as a whole.")
    _check_files(path, [path])
    try:
        return load_file(path)
    except OSError:
        raise
    except Exception as error:  # a KeyError for kinds of numbers that NumPy lacks, and others
        raise ValueError(f"{path} is no sound .safetensors file: {error}.") from error


def _check_files(path: pathlib.Path, files: Sequence[pathlib.Path]) -> None:
    """Refuse anything but regular files that fit in memory."""
    try:
        reading.check_size(sum(reading.check_regular(file) for file in files if file.exists()))
    except ValueError as error:
        raise ValueError(f"{path} {error}: choose another checkpoint.") from error


def spelled(name: str, weights: Collection[str]) -> str:
    """Return the spelling of `name` among `weights`: TensorFlow called LayerNorm's scale gamma."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    old = old.replace("LayerNorm.bias", "LayerNorm.beta")
    return old if name not in weights and old in weights else name

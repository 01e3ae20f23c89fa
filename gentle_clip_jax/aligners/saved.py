"""The folder of a saved aligner: a JSON file of metadata, and its arrays as safetensors.

It contains no code: a folder from an untrusted source is safe to load. The arrays' file is named
by its content and the JSON file is written last, so that after a crash the folder still has the
complete old aligner or the new one.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.storage import locks, owned
from gentle_clip_jax.storage.digests import sha256, sha256_of
from gentle_clip_jax.storage.missing import MissingPath
from gentle_clip_jax.storage.reading import parse_json
from gentle_clip_jax.storage.writing import writing

_FORMAT = 5
JSON, KIND = "aligner.json", "aligner"
_HUB = "hf://"
_WHAT_TO_DO = "copy the folder anew, or save the aligner again"

# Classes by name: only these are saved and loaded.
Kinds = Callable[[str], type | None]


class _UnknownKind(Exception):
    """A folder names a class that is not loaded."""


def local(folder: str | pathlib.Path) -> pathlib.Path:
    """Return the folder, or the download of hf://ORG/NAME or hf://ORG/NAME@REVISION.

    Raises:
      ValueError: they cannot be fetched.
    """
    if not str(folder).startswith(_HUB):
        return pathlib.Path(folder)
    import huggingface_hub

    repo, _, revision = str(folder).removeprefix(_HUB).partition("@")
    names = [JSON, "arrays-*.safetensors"]
    try:
        path = huggingface_hub.snapshot_download(
            repo, revision=revision or None, allow_patterns=names
        )
    except Exception as error:  # the library raises errors of any kind
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{folder} cannot be fetched ({reason}): see to the name and the network, or download "
            "its files by hand and give their folder."
        ) from error
    return pathlib.Path(path)


def write(
    folder: pathlib.Path, parts: Mapping[str, Any], metadata: Mapping[str, Any], kinds: Kinds
) -> None:
    """Write named parts, made of the given classes, numbers, arrays and dicts of them.

    Another process that saves into the same folder is waited for.

    Raises:
      OSError: the folder cannot be written; its old content is unchanged.
      ValueError: the metadata cannot be written as JSON, or the folder holds something else.
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    tree = {name: _described(part, name, arrays, kinds) for name, part in parts.items()}
    content = save(arrays)
    digest = sha256_of(content)
    record = {"format": _FORMAT, "sha256": digest, "parts": tree}
    record |= {"arrays": f"arrays-{digest[:16]}.safetensors", "metadata": dict(metadata)}
    with owned.writing(folder, JSON, KIND) as finish:
        before = _named_arrays(folder)
        path = folder / record["arrays"]
        if not path.exists() or sha256(path) != digest:
            with writing(path, "wb") as file:
                file.write(content)
        finish(record)
        if before not in (None, path):
            before.unlink(missing_ok=True)


def remove(folder: pathlib.Path) -> None:
    """Remove what `write` has written into a folder, and the folder if it has nothing else."""
    with locks.alone_in(folder):
        if arrays := _named_arrays(folder):
            arrays.unlink(missing_ok=True)
            (folder / JSON).unlink()
    with contextlib.suppress(OSError):  # not empty
        folder.rmdir()


def _named_arrays(folder: pathlib.Path) -> pathlib.Path | None:
    """Return the file of arrays that a folder's aligner names, None without an aligner."""
    with contextlib.suppress(OSError, ValueError, LookupError):
        return folder / pathlib.PurePath(parse_json(folder / JSON)["arrays"]).name
    return None


def read(folder: pathlib.Path, kinds: Kinds) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parts and the metadata that `write` has written; the arrays are NumPy's.

    Raises:
      ValueError: the folder holds no aligner, or one that is damaged or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    record = _record(folder / JSON)
    try:
        path = folder / pathlib.PurePath(record["arrays"]).name
        content = path.read_bytes()
        if sha256_of(content) != record["sha256"]:
            raise ValueError(f"{path} is damaged: {_WHAT_TO_DO}.")
        arrays = load(content)
        parts = {name: _built(tree, arrays, kinds) for name, tree in record["parts"].items()}
        return parts, record["metadata"]
    except _UnknownKind as error:
        raise ValueError(
            f"{folder} holds a {error}, which this version of gentle_clip_jax does not read: load "
            "it with the version that saved it, or align again."
        ) from error
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing: {_WHAT_TO_DO}.") from error
    except (KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ValueError(f"{folder / JSON} is damaged: {_WHAT_TO_DO}.") from error


def _record(path: pathlib.Path) -> dict[str, Any]:
    try:
        record = parse_json(path)
    except FileNotFoundError as error:
        if not path.parent.exists():
            raise MissingPath(path.parent, "folder") from error
        raise ValueError(
            f"{path.parent} holds no aligner, as {path.name} is not there: give a folder that "
            "Aligner.save has written."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {_WHAT_TO_DO}.") from error
    if not isinstance(record, dict) or "format" not in record or "parts" not in record:
        raise ValueError(f"{path} is no aligner's: give a folder that Aligner.save has written.")
    if record["format"] != _FORMAT:
        raise ValueError(
            f"{path} has format {record['format']} and this version of gentle_clip_jax reads "
            f"{_FORMAT}: load it with the version that saved it."
        )
    if record.pop("check", None) != sha256_of(record):
        raise ValueError(f"{path} is damaged: {_WHAT_TO_DO}.")
    return record


def _described(part: Any, name: str, arrays: dict[str, np.ndarray], kinds: Kinds) -> dict[str, Any]:
    """Return the JSON tree of a part; its arrays go into `arrays` under their path."""

    def inner(value: Any, key: Any) -> dict[str, Any]:
        return _described(value, f"{name}.{key}", arrays, kinds)

    if part is None or isinstance(part, (bool, int, float)):
        return {"number": part}
    if hasattr(part, "__array__"):
        arrays[name] = np.asarray(part, order="C")
        return {"array": name}
    if isinstance(part, Mapping):
        return {"dict": {key: inner(value, key) for key, value in part.items()}}
    kind = type(part).__name__
    if kind == "tuple":
        return {"tuple": [inner(value, place) for place, value in enumerate(part)]}
    if kinds(kind) is not type(part):
        raise ValueError(f"A {kind} cannot be saved: only what `align` returns can.")
    fields = getattr(part, "_fields", None) or [field.name for field in dataclasses.fields(part)]
    return {"kind": kind, "fields": {field: inner(getattr(part, field), field) for field in fields}}


def _built(tree: dict[str, Any], arrays: dict[str, np.ndarray], kinds: Kinds) -> Any:
    """Build a part from the JSON tree of `_described`."""
    if "number" in tree:
        return tree["number"]
    if "array" in tree:
        return arrays[tree["array"]]
    if "dict" in tree:
        return {name: _built(value, arrays, kinds) for name, value in tree["dict"].items()}
    if "tuple" in tree:
        return tuple(_built(value, arrays, kinds) for value in tree["tuple"])
    kind = kinds(tree["kind"])
    if kind is None:
        raise _UnknownKind(tree["kind"])
    return kind(**{name: _built(value, arrays, kinds) for name, value in tree["fields"].items()})

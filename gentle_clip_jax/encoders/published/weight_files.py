"""Arrays by name from .safetensors files, and from PyTorch's files without PyTorch."""

import collections
import json
import pathlib
import pickle
import zipfile
from collections.abc import Callable, Collection, Mapping
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

_INDEX = ".safetensors.index.json"
_MAGIC = 0x1950A86A20F9469CFC6C


def read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays by name of .safetensors, of an index of several such files, or of PyTorch's file.

    Raises:
      ValueError: a file is not there, or not sound.
    """
    if path.name.endswith((".safetensors", _INDEX)):
        arrays = [read_safetensors(part) for part in parts(path)]
        return {name: array for part in arrays for name, array in part.items()}
    return read_pth(path)


def parts(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that the weights of `path` are in: those that an index names, or itself.

    Raises:
      ValueError: the index names none, or files elsewhere.
    """
    if not path.name.endswith(_INDEX):
        return [path]
    try:
        names = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no index of .safetensors files: {error!r}.") from error
    if not names or any(pathlib.PurePath(name).name != name for name in names):
        raise ValueError(f"{path} must name files beside it, not {', '.join(names) or 'none'}.")
    return [path.with_name(name) for name in names]


def read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of a .safetensors file by name.

    Raises:
      ValueError: the file is none, or not there.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise ValueError(f"There is no file {path}: the weights were not copied as a whole.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no sound .safetensors file: {error}.") from error


def split_attention(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights with each in_proj of PyTorch's attention in three: q_proj, k_proj and v_proj."""
    split = {}
    for name, array in weights.items():
        stem, _, leaf = name.rpartition("in_proj_")
        if leaf in ("weight", "bias") and array.shape[0] % 3 == 0:
            for letter, part in zip("qkv", np.split(array, 3)):
                split[f"{stem}{letter}_proj.{leaf}"] = part
        else:
            split[name] = array
    return split


def spelled(name: str, weights: Collection[str]) -> str:
    """`name` as it is among `weights`: of a LayerNorm, TensorFlow called the scale gamma."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    old = old.replace("LayerNorm.bias", "LayerNorm.beta")
    return old if name not in weights and old in weights else name


class _Tensor(NamedTuple):
    dtype: np.dtype
    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: tuple[np.dtype, str], offset: int, shape, strides, *_) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


def _rebuild_parameter(tensor: _Tensor, *_) -> _Tensor:
    return tensor


_ALLOWED = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}


class _Unpickler(pickle.Unpickler):
    """Reads a dictionary of tensors and nothing else: no other name is ever looked up."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ALLOWED[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> tuple[np.dtype, str]:
        _, dtype, key, *_ = pid
        return dtype, key


def read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of a state dict that PyTorch saved, by name; of a training's, its `state_dict`.

    Since version 1.6 such a file is a zip file of a pickle, data.pkl, and of a member data/KEY for
    each storage. Before, it is a magic number, a version, the writer's machine, the dictionary, the
    keys of its storages, each a pickle, then the storages: a count and the elements. Unpickling can
    run anything, so only what such a dictionary needs is allowed.

    Raises:
      ValueError: the file is none, is cut short, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_old
            file.seek(0)
            return read(file)
    except OSError:
        raise
    except Exception as error:  # of pickle and of what it calls: any kind
        raise ValueError(f"{path} is no sound PyTorch file: {error}.") from error


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        pickled = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        if pickled is None:
            raise ValueError("it has no data.pkl")
        folder = pickled.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its bytes are in another order")
        with archive.open(pickled) as pickle_file:
            state = _Unpickler(pickle_file).load()

        def read_storage(tensor: _Tensor) -> np.ndarray:
            return np.frombuffer(archive.read(f"{folder}data/{tensor.storage}"), tensor.dtype)

        return _arrays(state, read_storage)


def _read_old(file: BinaryIO) -> dict[str, np.ndarray]:
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("it does not begin like one")
    for _ in range(2):
        _Unpickler(file).load()
    state, keys = _Unpickler(file).load(), _Unpickler(file).load()
    dtypes = {tensor.storage: tensor.dtype for tensor in _tensors(state).values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return _arrays(state, lambda tensor: storages[tensor.storage])


def _read_storage(file: BinaryIO, dtype: np.dtype) -> np.ndarray:
    (size,) = np.frombuffer(file.read(8), "<i8")
    return np.frombuffer(file.read(size * dtype.itemsize), dtype, count=size)


def _tensors(state: Any) -> dict[str, _Tensor]:
    state = state.get("state_dict", state)
    strange = [name for name, tensor in state.items() if not isinstance(tensor, _Tensor)]
    if strange:
        raise ValueError(f"{strange[0]} in it is no tensor")
    return state


def _arrays(state: Any, storage: Callable[[_Tensor], np.ndarray]) -> dict[str, np.ndarray]:
    return {name: _materialize(t, storage(t)) for name, t in _tensors(state).items()}


def _materialize(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if min(tensor.offset, *tensor.shape, *tensor.strides, last) < 0:
        raise ValueError("a tensor has negative numbers")
    elements = storage[tensor.offset :][: last + 1]
    if len(elements) <= last:
        raise ValueError("a tensor is longer than its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(elements, tensor.shape, strides).copy()

"""Arrays by name from PyTorch's older files, without PyTorch."""

import collections
import io
import math
import os
import pathlib
import pickle
import pickletools
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.storage import reading

_MAGIC = 0x1950A86A20F9469CFC6C


def check_files(path: pathlib.Path, files: Sequence[pathlib.Path]) -> None:
    """Refuse anything but regular files that fit in memory.

    Raises:
      ValueError: it is; names the path.
    """
    try:
        reading.check_size(sum(reading.check_regular(file) for file in files if file.exists()))
    except ValueError as error:
        raise ValueError(f"{path} {error}: choose another checkpoint.") from error


class _Tensor(NamedTuple):
    dtype: np.dtype
    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: tuple[np.dtype, str], offset: int, shape, strides, *_) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


_ALLOWED = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
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
    """An unpickler of dictionaries of tensors only: it never looks up another name."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ALLOWED[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> tuple[np.dtype, str]:
        _, dtype, key, *_ = pid
        return dtype, key


def read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return all arrays of a state dict that PyTorch saved before version 1.6, by name.

    Such a file, as that of EfficientNet-Lite0 is, holds a magic number, a version, the writer's
    machine, the dictionary, the keys of its storages, each a pickle, then the storages: a count and
    the elements. Unpickling can run anything, so only what such a dictionary needs is allowed.

    Raises:
      ValueError: the file is no state dict, is truncated, or has other content.
    """
    check_files(path, [path])
    try:
        with path.open("rb") as whole:
            return _read_old(_Within(whole))
    except OSError:
        raise
    except Exception as error:  # of pickle and of what it calls: any kind
        raise ValueError(f"{path} is no sound PyTorch file: {error}.") from error


class _Within:
    """A file that refuses reads beyond its size, before memory is allocated for them."""

    def __init__(self, file: BinaryIO):
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def read(self, count: int = -1) -> bytes:
        left = max(self._size - self._file.tell(), 0)
        return self._file.read(left if count < 0 else min(count, left))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _unpickled(file: BinaryIO) -> Any:
    """Return the next pickle in a file, and leave the file just behind it.

    Raises:
      ValueError: it would take memory out of all proportion to its size.
    """
    start = file.tell()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        # Python's reader allocates a memo as large as the highest index in it.
        if "PUT" in opcode.name and int(argument or 0) > count:
            raise ValueError("it keeps things by numbers that are too high")
    end = file.tell()
    file.seek(start)
    content = io.BytesIO(file.read(end - start))
    return _Unpickler(content).load()


def _read_old(file: Any) -> dict[str, np.ndarray]:
    if _unpickled(file) != _MAGIC:
        raise ValueError("it does not begin like one")
    for _ in range(2):
        _unpickled(file)
    state, keys = _unpickled(file), _unpickled(file)
    dtypes = {tensor.storage: tensor.dtype for tensor in _tensors(state).values()}
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return _arrays(state, lambda tensor: storages[tensor.storage])


def _read_storage(file: BinaryIO, dtype: np.dtype) -> np.ndarray:
    (size,) = np.frombuffer(file.read(8), "<i8")
    left = os.fstat(file.fileno()).st_size - file.tell()
    if not 0 <= int(size) * dtype.itemsize <= left:
        raise ValueError("a storage is longer than the file")
    return np.frombuffer(file.read(size * dtype.itemsize), dtype, count=size)


def _tensors(state: Any) -> dict[str, _Tensor]:
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
    if math.prod(tensor.shape) > len(storage):
        raise ValueError("a tensor is larger than its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(elements, tensor.shape, strides).copy()

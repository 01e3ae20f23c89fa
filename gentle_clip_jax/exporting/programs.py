"""Compilation of functions to StableHLO programs, for any number of items."""

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


def _serialized(function: Function) -> bytes:
    from jax import export

    (batch,) = export.symbolic_shape("batch")
    items = jax.tree.map(lambda item: _batched(item, batch), function.item)
    return bytes(export.export(jax.jit(function.apply), platforms=_PLATFORMS)(items).serialize())


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

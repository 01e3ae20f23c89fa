"""An aligner's functions as compiled programs, of any number of rows: StableHLO and ONNX."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.exporting.functions import Function, functions_of

_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def stablehlo(aligner: Aligner) -> dict[str, bytes | str]:
    """NAME.stablehlo for each function, as `jax.export.deserialize` reads it, and a README."""
    functions = functions_of(aligner)
    found: dict[str, bytes | str] = {
        f"{name}.stablehlo": _serialized(function) for name, function in functions.items()
    }
    return found | {"README.md": _README.format(version=jax.__version__, also=_also(functions))}


def onnx(aligner: Aligner) -> dict[str, bytes | str]:
    """NAME.onnx for each function, by jax2onnx.

    Raises:
      ValueError: jax2onnx is not installed, or has no ONNX for what the aligner does.
    """
    try:
        from jax2onnx import to_onnx  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ValueError(
            "ONNX is made by jax2onnx, which is not installed, and asks for an older Orbax than "
            "ours: run pip install --no-deps jax2onnx onnx-ir and pip install onnx."
        ) from error
    functions, found = functions_of(aligner), {}
    for name, function in functions.items():
        try:
            program = to_onnx(function.apply, [("batch", function.width)], model_name=name)
        except Exception as error:  # of any kind where it knows no operator
            raise ValueError(
                f"jax2onnx cannot convert {name} of this aligner ({_first_line(error)}): use "
                "--format=stablehlo."
            ) from error
        found[f"{name}.onnx"] = program.SerializeToString()
    return found | {"README.md": _README_ONNX.format(also=_also(functions))}


def _serialized(function: Function) -> bytes:
    from jax import export

    (batch,) = export.symbolic_shape("batch")
    rows = jax.ShapeDtypeStruct((batch, function.width), jnp.float32)
    return bytes(export.export(jax.jit(function.apply), platforms=_PLATFORMS)(rows).serialize())


def _also(functions: dict[str, Function]) -> str:
    drawn = [f"`{name}`" for name in functions if name.startswith("draw")]
    if not drawn:
        return ""
    return (
        f"\n{' and '.join(drawn)}: of embedded rows, those that are ranked for queries of the "
        "other side; a query stays as it is.\n"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


_README = """# An aligner as StableHLO

Programs for CPU and accelerators, of any number of float32 rows, raw features as the aligner was
fitted to. They need jax and flatbuffers, nothing else; written by jax {version}, which an older one
may not read.

```python
import numpy as np
from jax import export


def read(name):
    with open(f"{{name}}.stablehlo", "rb") as file:
        return export.deserialize(bytearray(file.read())).call


embed_x, embed_y = read("embed_x"), read("embed_y")
cosines = np.asarray(embed_x(x)) @ np.asarray(embed_y(y)).T  # x [n, dx], y [m, dy]
```
{also}"""

_README_ONNX = """# An aligner as ONNX

Programs of any number of float32 rows, raw features as the aligner was fitted to.

```python
import onnxruntime

session = onnxruntime.InferenceSession("embed_x.onnx")
(rows,) = session.run(None, {{session.get_inputs()[0].name: x}})  # x [n, dx] float32
```
{also}"""

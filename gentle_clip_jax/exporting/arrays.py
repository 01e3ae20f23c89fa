"""NumPy arrays of an aligner that consists of matrices and banks of rows."""

import inspect
from typing import Any

import numpy as np

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.aligners.closed_form.gallery_smoothing import (
    OF_X,
    OF_Y,
    TEMPERATURE,
    SmoothedGallery,
)
from gentle_clip_jax.aligners.closed_form.maps import Joined, Maps, Smoothed
from gentle_clip_jax.aligners.closed_form.neighbours import NEIGHBOURS
from gentle_clip_jax.exporting import apply


def numpy(aligner: Aligner) -> dict[str, str | dict[str, Any]]:
    """Return the contents of aligner.npz, of apply.py, which applies its arrays, and of README.md.

    Raises:
      ValueError: the aligner is more than linear maps with or without smoothing.
    """
    arrays: dict[str, Any] = {}
    for side, standardizer in (("x", aligner.x), ("y", aligner.y)):
        arrays[f"{side}_mean"] = standardizer.mean
        arrays[f"{side}_scale"] = 1 / standardizer.deviation  # 0 for a constant feature
        if standardizer.basis is not None:
            arrays[f"{side}_basis"] = standardizer.basis
    maps = aligner.maps
    if isinstance(maps, SmoothedGallery):
        arrays |= _gallery("x", maps.bank_y, OF_X) | _gallery("y", maps.bank_x, OF_Y)
        maps = maps.maps
    if isinstance(maps, Joined) and len(maps.aligners) == 2:
        first, second = maps.aligners
        if isinstance(second, Maps):  # no relative representations
            maps, arrays = first, arrays | _linear(second, "joined_")
    if isinstance(maps, Smoothed):
        if len(maps.bank):
            arrays |= {"x_bank": maps.bank, "x_weight": maps.weight, "x_count": NEIGHBOURS}
        maps = maps.maps
    if not isinstance(maps, Maps):
        raise ValueError(
            f"{aligner.metadata['method']} cannot be written as matrices: use "
            "--format=stablehlo, or align by a closed form such as cca or gentle_transport."
        )
    arrays |= _linear(maps)
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    return {"aligner.npz": arrays, "apply.py": inspect.getsource(apply), "README.md": _README}


def _linear(maps: Maps, which: str = "") -> dict[str, Any]:
    x, y = {"center": maps.mean_x, "map": maps.map_x}, {"center": maps.mean_y, "map": maps.map_y}
    return {f"{side}_{which}{k}": v for side, of in (("x", x), ("y", y)) for k, v in of.items()}


def _gallery(side: str, bank: Any, settings: dict[str, Any]) -> dict[str, Any]:
    if bank is None:
        return {}
    named = {"bank": bank, "temperature": TEMPERATURE, **settings}
    return {f"{side}_gallery_{name}": value for name, value in named.items()}


_README = """# An aligner as matrices

`aligner.npz` has the matrices; `apply.py` applies them and needs only NumPy:

```python
from apply import embed, smooth_gallery, load

aligner = load("aligner.npz")
cosines = embed(aligner, "x", x) @ embed(aligner, "y", y).T  # raw features x [n, dx], y [m, dy]
gallery = smooth_gallery(aligner, "x", embed(aligner, "x", x))  # x, to be ranked for queries of y
```
"""

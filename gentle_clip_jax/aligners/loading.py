"""Loading of a saved aligner, with JAX's arrays or, for a search, with NumPy's."""

import json
import pathlib

import numpy as np

from gentle_clip_jax.aligners import saved
from gentle_clip_jax.aligners.aligner import PARTS, Aligner, by_jax
from gentle_clip_jax.aligners.closed_form.arrays import leaves
from gentle_clip_jax.aligners.kinds import kind
from gentle_clip_jax.aligners.standardizer import Standardizer


def load(folder: str | pathlib.Path) -> Aligner:
    """Load the aligner that `Aligner.save` has written into a folder.

    Args:
      folder: its path; or hf://ORG/NAME, hf://ORG/NAME@REVISION: a repository of the Hugging Face
        Hub that `gentle-clip push` has made, which is downloaded unless it is there.

    Raises:
      ValueError: the folder holds none that is whole and of this version, or cannot be fetched.
    """
    return by_jax(read(folder))


def read(folder: str | pathlib.Path) -> Aligner:
    """Return the aligner that `load` does, but of NumPy's arrays, without loading JAX.

    It maps a few thousand rows without JAX, see `arrays.to_map`. Raises the errors of `load`.
    """
    parts, metadata = saved.read(saved.local(folder), kind)
    if parts.keys() != {*PARTS} or not isinstance(parts["x"], Standardizer):
        raise ValueError(f"{folder} holds something else than an aligner: give another folder.")
    for leaf in map(np.asarray, leaves([parts["maps"], parts["texts"], parts["samples"]])):
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            raise ValueError(f"The maps in {folder} are not finite: align again.")
    x, y = (np.zeros((0, parts[name].width), np.float32) for name in "xy")
    try:
        _ = parts["maps"].embed_x(x) @ parts["maps"].embed_y(y).T
    except Exception as error:  # of NumPy or JAX
        raise ValueError(f"The maps in {folder} do not fit its features: align again.") from error
    return Aligner(**parts, record=json.dumps(metadata))

"""Conversion of a checkpoint's weights to the params of a model."""

import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from flax import traverse_util


def load_params(
    model: nn.Module,
    inputs: jax.Array,
    weights: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    unused: str = "",
) -> dict[str, Any]:
    """Return the params of `model` from `weights`, each used exactly once.

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
        if not np.isfinite(weight).all():
            raise ValueError(f"The weight {name} is not finite: copy the weights again.")
        params[path] = weight.astype(expected.dtype)
    if left:
        raise _foreign(model, f"{min(left)} has no place in it")
    return traverse_util.unflatten_dict(params, sep="/")


def _foreign(model: nn.Module, reason: str) -> ValueError:
    return ValueError(f"The weights are not of {type(model).__name__}: {reason}.")

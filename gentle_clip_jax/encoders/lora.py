"""Low-rank updates (LoRA) of any tower's kernels, separate from its parameters."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util


def init(key: jax.Array, params: Mapping[str, Any], rank: int, pattern: str) -> dict[str, Any]:
    """Return an update of rank `rank` for each 2-D kernel whose path matches `pattern`.

    W + scale a b;  W [inputs, outputs], a [inputs, rank] ~ N(0, 1 / inputs), b [rank, outputs] = 0.

    Args:
      pattern: a regular expression, looked for in paths such as block_0/query/kernel.

    Returns:
      The tree of `params` with {"a", "b"} in the places of those kernels, and nothing else.

    Raises:
      ValueError: no kernel matches, or the rank is less than 1.

    Source: Hu et al., arXiv 2106.09685, equation 3.
    """
    if rank < 1:
        raise ValueError(f"The rank of LoRA must be at least 1, not {rank}.")
    kernels = {
        path: leaf
        for path, leaf in _flat(params).items()
        if path.rpartition("/")[2] == "kernel" and leaf.ndim == 2
    }
    chosen = {path: leaf for path, leaf in kernels.items() if re.search(pattern, path)}
    if not chosen:
        raise ValueError(
            f"No kernel has a path that matches {pattern!r} for LoRA: the paths are like "
            f"{min(kernels, default='none at all')}."
        )
    flat = {}
    for number, (path, kernel) in enumerate(sorted(chosen.items())):
        inputs, outputs = kernel.shape
        noise = jax.random.normal(jax.random.fold_in(key, number), (inputs, rank), jnp.float32)
        flat[f"{path}/a"] = noise * inputs**-0.5
        flat[f"{path}/b"] = jnp.zeros((rank, outputs), jnp.float32)
    return traverse_util.unflatten_dict(flat, sep="/")


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    return dict(traverse_util.flatten_dict(tree, sep="/"))


def merge(params: Mapping[str, Any], lora: Mapping[str, Any], scale: float = 1.0) -> dict[str, Any]:
    """Return `params` with kernel + scale a b for each kernel of `lora`; the rest as it is.

    `scale` is the alpha / rank of the paper. Differentiate this by `lora` to train it alone.

    Raises:
      ValueError: `lora` is of other parameters.
    """
    flat, updates = _flat(params), _flat(lora)
    for path in {name.rpartition("/")[0] for name in updates}:
        a, b = updates[f"{path}/a"], updates[f"{path}/b"]
        if path not in flat or flat[path].shape != (a.shape[0], b.shape[1]):
            raise ValueError(f"The LoRA update {path} fits no kernel: it is of another tower.")
        update = scale * jnp.matmul(a, b, precision="highest")
        flat[path] = flat[path] + update.astype(flat[path].dtype)
    return traverse_util.unflatten_dict(flat, sep="/")

"""The blocks that CLIP's transformers are made of, and their names in checkpoints."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

ACTIVATIONS = {
    "quick_gelu": lambda x: x * nn.sigmoid(1.702 * x),
    "gelu": functools.partial(nn.gelu, approximate=False),
}


def attend(
    x: Array,
    num_heads: int,
    dtype: DTypeLike,
    *,
    where: Array | None = None,
    causal: bool = False,
    turn: Callable[[Array], Array] = lambda heads: heads,
) -> Array:
    """Self-attention of x [b, t, width], by layers query, key, value and out of the caller.

    where: [b, t] bool, what may be looked at. causal: each place looks at those up to it. turn: of
    queries and keys [b, t, num_heads, size], before they are compared.
    """
    width = x.shape[-1]
    heads = (*x.shape[:2], num_heads, width // num_heads)
    q, k, v = (
        nn.Dense(width, dtype=dtype, name=name)(x).reshape(heads)
        for name in ("query", "key", "value")
    )
    mask = None if where is None else where[:, None, None, :]
    h = jax.nn.dot_product_attention(turn(q), turn(k), v, mask=mask, is_causal=causal)
    return nn.Dense(width, dtype=dtype, name="out")(h.reshape(x.shape))


class Block(nn.Module):
    """x [b, t, width] -> [b, t, width]: x + attention(norm(x)), then x + mlp(norm(x))."""

    num_heads: int
    hidden: int
    activation: str
    epsilon: float
    causal: bool = False
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        h = normed(self.epsilon, "attention_norm", x).astype(self.dtype)
        x = x + drop(attend(h, self.num_heads, self.dtype, causal=self.causal))
        h = normed(self.epsilon, "norm", x).astype(self.dtype)
        h = ACTIVATIONS[self.activation](nn.Dense(self.hidden, dtype=self.dtype, name="expand")(h))
        return x + drop(nn.Dense(x.shape[-1], dtype=self.dtype, name="project")(h))


def through_blocks(tower: Any, x: Array, *, causal: bool, train: bool) -> Array:
    """x [b, t, width] through dropout and all blocks of a tower, which are layers of its own."""
    x = nn.Dropout(tower.dropout, deterministic=not train)(x)
    for i in range(tower.depth):
        x = Block(
            tower.num_heads,
            tower.hidden,
            tower.activation,
            tower.epsilon,
            causal,
            tower.dropout,
            tower.dtype,
            name=f"block_{i}",
        )(x, train=train)
    return x


def normed(epsilon: float, name: str, x: Array) -> Array:
    """LayerNorm of x [b, ..., width] -> float32 of the same shape, as a layer called `name`."""
    # Some channels are large in all tokens: the fast form of the variance would cancel.
    norm = nn.LayerNorm(epsilon, dtype=jnp.float32, use_fast_variance=False, name=name)
    return norm(x.astype(jnp.float32))


def standardized(images: Array, size: int, mean: tuple, std: tuple) -> Array:
    """Images [b, size, size, 3], values from 0 to 255 -> float32, (images / 255 - mean) / std.

    Raises:
      ValueError: they are of another size.
    """
    if images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"Images of the shape {images.shape[1:]} do not suit an encoder of {size} x {size} "
            "pixels and 3 colours: resize them."
        )
    centre, scale = (jnp.asarray(v, jnp.float32)[None, None, None] for v in (mean, std))
    return (images.astype(jnp.float32) / 255 - centre) / scale


def checked_activation(name: str) -> str:
    """Return `name`, if it is a key of ACTIVATIONS.

    Raises:
      ValueError: it is not.
    """
    if name not in ACTIVATIONS:
        raise ValueError(
            f"config.json asks for hidden_act {name}: only {', '.join(ACTIVATIONS)} are supported."
        )
    return name


def parameter_names(layers: Mapping[str, str]) -> dict[str, str]:
    """Map names of layers to names of their kernels (or scales) and biases."""
    names = {}
    for ours, theirs in layers.items():
        names[f"{ours}/{'scale' if 'norm' in ours.rpartition('/')[2] else 'kernel'}"] = (
            f"{theirs}.weight"
        )
        names[f"{ours}/bias"] = f"{theirs}.bias"
    return names


def block_layers(ours: str, theirs: str) -> dict[str, str]:
    """Map the names of a block's layers here to names in a checkpoint of Hugging Face."""
    layers = {
        "attention_norm": "layer_norm1",
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "out": "self_attn.out_proj",
        "norm": "layer_norm2",
        "expand": "mlp.fc1",
        "project": "mlp.fc2",
    }
    return {f"{ours}/{name}": f"{theirs}.{their_name}" for name, their_name in layers.items()}

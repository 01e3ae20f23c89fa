"""The kernels of the losses: terms of a tile of inner products, for `tiles.reduce_pairs`.

Features of rows: "where", the mask of valid rows; "item", item numbers, as rows of one item are no
pair; "square", squared lengths; "rates", of the MMD's kernels, and "level", subtracted from their
sum; "inverse_scale", of densities; "bias", added to a logit; "offset" and "inverse_temperature",
which turn the product of centred rows into a logit; "candidate", the mask of rows with logits.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses.tiles import Features, Log, empty


class Contrast(NamedTuple):
    """Log-sum-exps of inner products."""

    rows: bool = True
    columns: bool = True

    @property
    def logs(self) -> tuple[Log, ...]:
        return (Log(self.rows, self.columns),)

    @property
    def block_size(self) -> int:
        return 2048

    def __call__(self, dot: jax.Array, left: Features, right: Features):
        return [], [jnp.where(_valid(left, right), dot, empty(dot.dtype))]


class Decision(NamedTuple):
    """Sum of the logistic losses of all pairs, each labelled unmatched."""

    @property
    def logs(self) -> tuple[Log, ...]:
        return ()

    @property
    def block_size(self) -> int:
        return 4096

    def __call__(self, dot: jax.Array, left: Features, right: Features):
        logits = jnp.where(_valid(left, right), dot + left["bias"], empty(dot.dtype))
        return [jax.nn.softplus(logits)], []


class Distance(NamedTuple):
    """Gaussian kernels of squared distances, for MMD and densities, and logits on the way.

    squarings: number of times that each rate is also doubled, by squaring its kernel.
    density: the Log of the density's exponents, if needed; count: whether to count pairs as well.
    contrast: whether to compute log-sum-exps of logits.
    """

    squarings: int = 0
    density: Log | None = None
    count: bool = False
    contrast: bool = False

    @property
    def logs(self) -> tuple[Log, ...]:
        density = () if self.density is None else (self.density,)
        count = (self.density._replace(moments=1),) if self.density and self.count else ()
        return (*density, *count, *((Log(),) if self.contrast else ()))

    @property
    def block_size(self) -> int:
        return 512

    def __call__(self, dot: jax.Array, left: Features, right: Features):
        valid, fill = _valid(left, right), empty(dot.dtype)
        distance = left["square"] + right["square"] - 2 * dot
        distance = jnp.where(distance > 0, distance, 0)  # the slope of a maximum costs a division
        summands, exponents = [], []
        if "rates" in left:
            kernels = ladder(distance, left["rates"], self.squarings) - left["level"]
            summands.append(jnp.where(valid, kernels, 0))
        if self.density is not None:
            exponents.append(jnp.where(valid, -distance * left["inverse_scale"], fill))
        if self.density is not None and self.count:
            exponents.append(jnp.where(valid, 0, fill))
        if self.contrast:
            logits = left["inverse_temperature"] * (dot + left["offset"] + right["offset"])
            counted = valid & left["candidate"] & right["candidate"]
            exponents.append(jnp.where(counted, logits, fill))
        return summands, exponents


def ladder(distance: jax.Array, rates: tuple[jax.Array, ...], squarings: int) -> jax.Array:
    """Return the sum of exp(-rate distance) over rates doubled 0 to `squarings` times."""
    total = jnp.zeros_like(distance)
    for rate in rates:
        kernel = jnp.exp(-rate * distance)
        total += kernel
        for _ in range(squarings):
            kernel = kernel * kernel
            total += kernel
    return total


def _valid(left: Features, right: Features) -> jax.Array:
    valid = left["where"] & right["where"]
    return valid & (left["item"] != right["item"]) if "item" in left and "item" in right else valid

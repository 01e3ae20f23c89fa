"""The three passes over pairs within x, within y and between them that MMD and SDD share."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import kernels, pairwise
from gentle_clip_jax.losses.tiles import Features, Log, Reduced, reduce_pairs

Rows = tuple[jax.Array, Features]


def compare(
    x: jax.Array,
    y: jax.Array,
    where_x: jax.Array,
    where_y: jax.Array,
    *,
    rates: jax.Array | None = None,
    squarings: int = 0,
    inverse_scale: jax.Array | None = None,
    item_x: jax.Array | None = None,
    item_y: jax.Array | None = None,
    logits: tuple[tuple | None, ...] = (None, None, None),
    block_size: int | None = None,
) -> tuple[Reduced, Reduced, Reduced]:
    """Reduce pairs within x [n, d], within y [m, d] (no row with itself) and between x and y.

    Every tile of distances feeds, in this order of totals and of exponents, the sum of the MMD's
    kernels (with rates [u]), the two moments of densities (with an inverse scale), the logs of
    their pair counts (with item numbers), and the log-sum-exps of logits in the passes for which
    a temperature and the masks of candidates among rows and columns are given.
    """
    # Distances do not depend on the position, but float32 squares of long rows hide them.
    sets = (x, where_x), (y, where_y)
    center = jax.lax.stop_gradient(pairwise.center(*sets))
    length = jnp.sum(jnp.square(center))
    if rates is not None:
        # The MMD cancels any constant of its kernel; without the common part, sums round less.
        typical = 2 * pairwise.total_variance(*sets)
        level = jax.lax.stop_gradient(kernels.ladder(typical, tuple(rates), squarings))

    def features(x: jax.Array, where: jax.Array, item: jax.Array | None) -> Rows:
        x = jnp.where(where[:, None], x - center[None, :], 0)
        shared: Features = {"where": where, "square": jnp.sum(jnp.square(x), axis=1)}
        if rates is not None:
            shared["rates"] = tuple(jnp.full_like(shared["square"], rate) for rate in rates)
            shared["level"] = jnp.full_like(shared["square"], level)
        if inverse_scale is not None:
            shared["inverse_scale"] = jnp.full_like(shared["square"], inverse_scale)
        if any(logit is not None for logit in logits):
            shared["offset"] = x @ center + length / 2
        if item is not None:
            shared["item"] = item
        return x, shared

    def reduce(logit: tuple | None, here: Rows, there: Rows | None) -> Reduced:
        (x, left), (y, right) = here, (None, None) if there is None else there
        if logit is not None:
            temperature, rows, columns = logit
            scale = jnp.full_like(left["square"], 1 / jnp.asarray(temperature, x.dtype))
            left = left | {"inverse_temperature": scale, "candidate": rows}
            right = None if right is None else right | {"candidate": columns}
        density = None if inverse_scale is None else Log(moments=2)
        counted = item_x is not None or item_y is not None
        kernel = kernels.Distance(squarings, density, counted, logit is not None)
        return reduce_pairs(kernel, x, left, y, right, block_size=block_size)

    own_x = pairwise.numbers(x.shape[0]) if item_x is None else item_x
    own_y = pairwise.numbers(y.shape[0]) if item_y is None else item_y
    within_x = reduce(logits[0], features(x, where_x, own_x), None)
    within_y = reduce(logits[1], features(y, where_y, own_y), None)
    has_items = item_x is not None and item_y is not None
    left = features(x, where_x, item_x if has_items else None)
    right = features(y, where_y, item_y if has_items else None)
    return within_x, within_y, reduce(logits[2], left, right)

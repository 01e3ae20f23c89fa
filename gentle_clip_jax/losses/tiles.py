"""Sums and log-sum-exps over all pairs of rows, tile by tile, with no array of all pairs.

A kernel turns a tile of inner products into terms of the pairs. `reduce_pairs` adds them up, or
takes their log-sum-exp along rows and columns; the rest of a loss is arithmetic on vectors.
"""

import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise, ring
from gentle_clip_jax.losses.blocks import cut, expand, floating, joined, take, tile_indices

Features = dict[str, Any]  # from names to arrays [n], or tuples of them
# Most bytes of inner products that are stored for the backward pass: those of 4,096 rows.
_KEPT_BYTES = 2**26


class Log(NamedTuple):
    """The axes along which exponents are reduced; with two moments, also the doubled exponents."""

    rows: bool = True
    columns: bool = True
    moments: int = 1


class Kernel(Protocol):
    """Terms of pairs; equal kernels share one compiled pass, so they must be hashable."""

    @property
    def logs(self) -> tuple[Log, ...]: ...

    @property
    def block_size(self) -> int: ...  # rows of the fastest tile, measured: benchmarks/losses.py

    def __call__(
        self, dot: jax.Array, left: Features, right: Features
    ) -> tuple[list[jax.Array], list[jax.Array]]:
        """Summands and exponents [b, c] of dot [b, c], left features [b, 1] and right [1, c]."""
        ...


class Reduced(NamedTuple):
    """Totals [] of the summands; of each exponent the moments along rows [n] and columns [m]."""

    totals: list[jax.Array]
    rows: list[list[jax.Array]]
    columns: list[list[jax.Array]]


def empty(dtype: Any) -> float:
    """Return a masked pair's exponent: finite, so that a fully masked row has a zero gradient."""
    return float(jnp.finfo(dtype).min) / 8


def reduce_pairs(
    kernel: Kernel,
    x: jax.Array,
    left: Features,
    y: jax.Array | None = None,
    right: Features | None = None,
    *,
    block_size: int | None = None,
) -> Reduced:
    """Reduce a kernel over all pairs of rows of x [n, d] and y [m, d], or of x and x.

    Pairs within x need a symmetric kernel: half of their tiles are computed, and results of columns
    are merged into those of rows. The backward pass computes every tile again; only the inner
    products of small sets on one device are stored for it.

    Args:
      kernel: the terms of a tile, summands 0 and exponents `empty` where a row is not valid.
      x: [n, d] rows.
      left: features of x's rows, among them the mask "where" of valid rows.
      y: [m, d] rows.
      right: features of y's rows.
      block_size: the most rows of a tile; None to choose; 0 for a single tile, which jax
        differentiates, in forward mode too.
    """
    axis, pairs = pairwise.axis_name(), x.shape[0] * (x if y is None else y).shape[0]
    if block_size is None:
        block_size = 0 if pairs <= kernel.block_size**2 else kernel.block_size
    if block_size or axis:
        mesh, block_size = None if axis else ring.mesh_of(x), block_size or kernel.block_size
        keep = not axis and mesh is None and pairs * x.dtype.itemsize <= _KEPT_BYTES
        return _blocked(kernel, block_size, axis, mesh, keep, x, left, y, right)
    totals, rows, columns = _reduce_tile(kernel, (x, left), (x, left) if y is None else (y, right))
    return Reduced(totals, rows, [] if y is None else columns)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3, 4))
def _pass(kernel, block_size, axis, mesh, keep, x, left, y, right) -> Reduced:
    sweep = functools.partial(_sweep, kernel, block_size)
    there = None if y is None else (y, right)
    sums = ring.reduce(sweep, jnp.logaddexp, [], (x, left), there, axis, mesh)
    return _reduced(y is None, *sums)


def _forward(kernel, block_size, axis, mesh, keep, x, left, y, right):
    if keep:
        there = None if y is None else (y, right)
        *sums, dots = _sweep(kernel, block_size, [], (x, left), there, (1, 1), keep=True)
        out = _reduced(y is None, *sums)
    else:
        out, dots = _pass(kernel, block_size, axis, mesh, keep, x, left, y, right), None
    return out, (x, left, y, right, out, dots)


def _reduced(symmetric, totals, rows, columns) -> Reduced:
    if symmetric:
        rows, columns = jax.tree.map(jnp.logaddexp, rows, columns), []
    return Reduced(totals, rows, columns)


def _backward(kernel, block_size, axis, mesh, keep, residuals, bars):
    x, left, y, right, out, dots = residuals
    here = (x, left, out.rows, bars.rows)
    there = None if y is None else (y, right, out.columns, bars.columns)
    sweep = functools.partial(_sweep_back, kernel, block_size, dots)
    _, (dx, dl), (dy, dr) = ring.reduce(sweep, jnp.add, bars.totals, here, there, axis, mesh)
    if y is None:
        dx, dl = jax.tree.map(jnp.add, (dx, dl), (dy, dr))
        return dx, {name: dl.get(name) for name in left}, None, None
    return dx, {name: dl.get(name) for name in left}, dy, {name: dr.get(name) for name in right}


_pass.defvjp(_forward, _backward)
_blocked = jax.jit(_pass, static_argnums=(0, 1, 2, 3, 4))


def _sweep(kernel, block_size, _, here, there, weights, *, keep=False):
    """Return the `Reduced` of all tiles of two sets, or of one set's on and above the diagonal.

    With `keep`, the inner products [tiles, b, c] come last.
    """
    n, m = here[0].shape[0], (there or here)[0].shape[0]
    left = cut(here, block_size)
    right = left if there is None else cut(there, block_size)
    shapes = jax.eval_shape(functools.partial(_reduce_tile, kernel), take(left, 0), take(right, 0))
    dtype = here[0].dtype

    def start(rows: Any, logs: Any) -> Any:
        # Made like x, constants vary over devices as x does, where a shard_map checks that.
        fill = jnp.full_like(here[0], empty(dtype), shape=rows[0].shape[:2])
        return jax.tree.map(lambda _: fill, logs)

    def step(carry, tile):
        (totals, rows, columns), (i, j, weight, mirror) = carry, tile
        (x, of_x), (y, of_y) = take(left, i), take(right, j)
        dot = pairwise.similarity(x, y)
        new = _reduce_dots(kernel, dot, of_x, of_y)
        totals = [total + weight * more for total, more in zip(totals, new.totals)]
        rows = jax.tree.map(lambda a, b: a.at[i].set(jnp.logaddexp(a[i], b)), rows, new.rows)
        # A tile on the diagonal holds its pairs both ways round already.
        columns = jax.tree.map(
            lambda a, b: a.at[j].set(jnp.where(mirror > 0, jnp.logaddexp(a[j], b), a[j])),
            columns,
            new.columns,
        )
        return (totals, rows, columns), dot if keep else None

    zeros = [jnp.zeros_like(here[0], shape=()) for _ in shapes.totals]
    carry = zeros, start(left, shapes.rows), start(right, shapes.columns)
    tiles = tile_indices(left, right, there is None, weights, dtype)
    (totals, rows, columns), dots = jax.lax.scan(step, carry, tiles)
    sums = totals, joined(rows, n), joined(columns, m)
    return (*sums, dots) if keep else sums


def _sweep_back(kernel, block_size, dots, totals, here, there, weights):
    """Return the gradients of here's rows and features, and of there's, over the same tiles.

    dots: the stored inner products, or None.
    """
    n, m = here[0].shape[0], (there or here)[0].shape[0]
    left = cut(here, block_size)
    right = left if there is None else cut(there, block_size)

    def step(carry, tile):
        (here, other, turned), ((i, j, weight, mirror), dot) = carry, tile
        bars = [weight * bar for bar in totals]
        turned = jax.lax.cond(j == (0 if there else i), lambda: left[0][i].T, lambda: turned)
        own, theirs = take(left, i), take(right, j)
        dot = pairwise.similarity(own[0], theirs[0]) if dot is None else dot
        new = _tile_back(kernel, bars, dot, own, theirs, mirror, turned)
        here = jax.tree.map(lambda a, b: a.at[i].add(b), here, new[0])
        other = jax.tree.map(lambda a, b: a.at[j].add(b), other, new[1])
        return (here, other, turned), None

    def zeros(rows: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, (rows[0], floating(rows[1])[0]))

    # Gradients there are made transposed: that product is fastest with x turned beforehand.
    dy, dr = zeros(right)
    carry = zeros(left), (dy.mT, dr), left[0][0].T
    tiles = tile_indices(left, right, there is None, weights, here[0].dtype)
    (here, (dy, dr), _), _ = jax.lax.scan(step, carry, (tiles, dots))
    return [], joined(here, n), joined((dy.mT, dr), m)


def _reduce_tile(kernel, here, there) -> Reduced:
    (x, left), (y, right) = here, there
    return _reduce_dots(kernel, pairwise.similarity(x, y), left, right)


def _reduce_dots(kernel, dot, left, right) -> Reduced:
    summands, exponents = kernel(dot, expand(left, 1), expand(right, 0))
    pairs = list(zip(kernel.logs, exponents))
    rows = [pairwise.log_sum_exp(phi, 1, log.moments) if log.rows else [] for log, phi in pairs]
    cols = [pairwise.log_sum_exp(phi, 0, log.moments) if log.columns else [] for log, phi in pairs]
    return Reduced([jnp.sum(summand) for summand in summands], rows, cols)


def _tile_back(kernel, summand_bars, dot, here, there, mirror, turned):
    _, left, rows, row_bars = here
    y, right, columns, column_bars = there
    (left, left_masks), (right, right_masks) = floating(left), floating(right)

    def terms(dot, left, right):
        return kernel(dot, expand(left | left_masks, 1), expand(right | right_masks, 0))

    (summands, exponents), pull = jax.vjp(terms, dot, left, right)
    bars = []
    for k, (log, phi) in enumerate(zip(kernel.logs, exponents)):
        bar = jnp.zeros_like(phi)
        if log.rows:
            bar += pairwise.log_sum_exp_slope(phi, expand(rows[k], 1), expand(row_bars[k], 1))
        if log.columns:
            scaled = [mirror * bar for bar in column_bars[k]]
            bar += pairwise.log_sum_exp_slope(phi, expand(columns[k], 0), expand(scaled, 0))
        bars.append(bar)
    full = [jnp.full_like(tile, bar) for bar, tile in zip(summand_bars, summands)]
    dot_bar, left_bar, right_bar = pull((full, bars))
    dx, dy = pairwise.similarity(dot_bar, y.T), pairwise.similarity(turned, dot_bar.T)
    return (dx, left_bar), (dy, right_bar)

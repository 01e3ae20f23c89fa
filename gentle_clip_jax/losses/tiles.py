"""Sums and log-sum-exps over all pairs of rows, tile by tile, with no array of all pairs.

A kernel turns a tile of inner products into terms of the pairs. `reduce_pairs` adds them up, or
takes their log-sum-exp along rows and columns; the rest of a loss is arithmetic on vectors.
"""

import functools
import math
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.losses import pairwise, ring

Features = dict[str, Any]  # from names to arrays [n], or tuples of them


class Log(NamedTuple):
    """Along which axes exponents are reduced; two moments: the doubled exponents are as well."""

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
    """The exponent of a masked pair: finite, so that a row of nothing else has a zero gradient."""
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
    """Reduces a kernel over all pairs of rows of x [n, d] and y [m, d], or of x and x.

    Pairs within x need a symmetric kernel: half of their tiles are computed, and what would be
    columns is in the rows. The backward pass computes every tile again.

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
        mesh = None if axis else ring.mesh_of(x)
        return _blocked(kernel, block_size or kernel.block_size, axis, mesh, x, left, y, right)
    totals, rows, columns = _reduce_tile(kernel, (x, left), (x, left) if y is None else (y, right))
    return Reduced(totals, rows, [] if y is None else columns)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _pass(kernel, block_size, axis, mesh, x, left, y, right) -> Reduced:
    return _forward(kernel, block_size, axis, mesh, x, left, y, right)[0]


def _forward(kernel, block_size, axis, mesh, x, left, y, right):
    sweep = functools.partial(_sweep, kernel, block_size)
    there = None if y is None else (y, right)
    totals, rows, columns = ring.reduce(sweep, jnp.logaddexp, [], (x, left), there, axis, mesh)
    if y is None:
        rows, columns = jax.tree.map(jnp.logaddexp, rows, columns), []
    out = Reduced(totals, rows, columns)
    return out, (x, left, y, right, out)


def _backward(kernel, block_size, axis, mesh, residuals, bars):
    x, left, y, right, out = residuals
    here = (x, left, out.rows, bars.rows)
    there = None if y is None else (y, right, out.columns, bars.columns)
    sweep = functools.partial(_sweep_back, kernel, block_size)
    _, (dx, dl), (dy, dr) = ring.reduce(sweep, jnp.add, bars.totals, here, there, axis, mesh)
    if y is None:
        dx, dl = jax.tree.map(jnp.add, (dx, dl), (dy, dr))
        return dx, {name: dl.get(name) for name in left}, None, None
    return dx, {name: dl.get(name) for name in left}, dy, {name: dr.get(name) for name in right}


_pass.defvjp(_forward, _backward)
_blocked = jax.jit(_pass, static_argnums=(0, 1, 2, 3))


def _sweep(kernel, block_size, _, here, there, weights):
    """All tiles of two sets, or those of one set on and above the diagonal: `Reduced`."""
    n, m = here[0].shape[0], (there or here)[0].shape[0]
    left = _blocks(here, block_size)
    right = left if there is None else _blocks(there, block_size)
    shapes = jax.eval_shape(
        functools.partial(_reduce_tile, kernel), _take(left, 0), _take(right, 0)
    )
    dtype = here[0].dtype

    def start(blocks: Any, logs: Any) -> Any:
        # Made like x, constants vary over devices as x does, where a shard_map checks that.
        fill = jnp.full_like(here[0], empty(dtype), shape=blocks[0].shape[:2])
        return jax.tree.map(lambda _: fill, logs)

    def step(carry, tile):
        (totals, rows, columns), (i, j, weight, mirror) = carry, tile
        new = _reduce_tile(kernel, _take(left, i), _take(right, j))
        totals = [total + weight * more for total, more in zip(totals, new.totals)]
        rows = jax.tree.map(lambda a, b: a.at[i].set(jnp.logaddexp(a[i], b)), rows, new.rows)
        # A tile on the diagonal holds its pairs both ways round already.
        columns = jax.tree.map(
            lambda a, b: a.at[j].set(jnp.where(mirror > 0, jnp.logaddexp(a[j], b), a[j])),
            columns,
            new.columns,
        )
        return (totals, rows, columns), None

    zeros = [jnp.zeros_like(here[0], shape=()) for _ in shapes.totals]
    carry = zeros, start(left, shapes.rows), start(right, shapes.columns)
    tiles = _tiles(left, right, there is None, weights, dtype)
    (totals, rows, columns), _ = jax.lax.scan(step, carry, tiles)
    return totals, _unblock(rows, n), _unblock(columns, m)


def _sweep_back(kernel, block_size, totals, here, there, weights):
    """The gradients of here's rows and features, and of there's, over the same tiles."""
    n, m = here[0].shape[0], (there or here)[0].shape[0]
    left = _blocks(here, block_size)
    right = left if there is None else _blocks(there, block_size)

    def step(carry, tile):
        (here, other, turned), (i, j, weight, mirror) = carry, tile
        bars = [weight * bar for bar in totals]
        turned = jax.lax.cond(j == (0 if there else i), lambda: left[0][i].T, lambda: turned)
        new = _tile_back(kernel, bars, _take(left, i), _take(right, j), mirror, turned)
        here = jax.tree.map(lambda a, b: a.at[i].add(b), here, new[0])
        other = jax.tree.map(lambda a, b: a.at[j].add(b), other, new[1])
        return (here, other, turned), None

    def zeros(blocks: Any) -> Any:
        return jax.tree.map(jnp.zeros_like, (blocks[0], _floating(blocks[1])[0]))

    # Gradients there are made transposed: that product is fastest with x turned beforehand.
    dy, dr = zeros(right)
    carry = zeros(left), (dy.mT, dr), left[0][0].T
    tiles = _tiles(left, right, there is None, weights, here[0].dtype)
    (here, (dy, dr), _), _ = jax.lax.scan(step, carry, tiles)
    return [], _unblock(here, n), _unblock((dy.mT, dr), m)


def _reduce_tile(kernel, here, there) -> Reduced:
    (x, left), (y, right) = here, there
    summands, exponents = kernel(pairwise.similarity(x, y), _expand(left, 1), _expand(right, 0))
    pairs = list(zip(kernel.logs, exponents))
    rows = [pairwise.log_sum_exp(phi, 1, log.moments) if log.rows else [] for log, phi in pairs]
    cols = [pairwise.log_sum_exp(phi, 0, log.moments) if log.columns else [] for log, phi in pairs]
    return Reduced([jnp.sum(summand) for summand in summands], rows, cols)


def _tile_back(kernel, summand_bars, here, there, mirror, turned):
    x, left, rows, row_bars = here
    y, right, columns, column_bars = there
    (left, left_masks), (right, right_masks) = _floating(left), _floating(right)

    def terms(dot, left, right):
        return kernel(dot, _expand(left | left_masks, 1), _expand(right | right_masks, 0))

    (summands, exponents), pull = jax.vjp(terms, pairwise.similarity(x, y), left, right)
    bars = []
    for k, (log, phi) in enumerate(zip(kernel.logs, exponents)):
        bar = jnp.zeros_like(phi)
        if log.rows:
            bar += pairwise.log_sum_exp_slope(phi, _expand(rows[k], 1), _expand(row_bars[k], 1))
        if log.columns:
            scaled = [mirror * bar for bar in column_bars[k]]
            bar += pairwise.log_sum_exp_slope(phi, _expand(columns[k], 0), _expand(scaled, 0))
        bars.append(bar)
    full = [jnp.full_like(tile, bar) for bar, tile in zip(summand_bars, summands)]
    dot_bar, left_bar, right_bar = pull((full, bars))
    dx, dy = pairwise.similarity(dot_bar, y.T), pairwise.similarity(turned, dot_bar.T)
    return (dx, left_bar), (dy, right_bar)


def _tiles(left, right, symmetric, weights, dtype):
    """Tile indices, the weights of their totals, and whether their columns count."""
    i, j = np.divmod(np.arange(len(left[0]) * len(right[0]), dtype=np.int32), len(right[0]))
    if symmetric:
        i, j = i[i <= j], j[i <= j]
        weights = 1 + (i != j), i != j
    weight, mirror = (jnp.broadcast_to(jnp.asarray(w, dtype), i.shape) for w in weights)
    return jnp.asarray(i, jnp.int32), jnp.asarray(j, jnp.int32), weight, mirror


def _blocks(tree: Any, block_size: int) -> Any:
    n = tree[0].shape[0]
    count = max(1, math.ceil(n / block_size))
    size = math.ceil(n / count)
    cut = (count, size)
    return jax.tree.map(lambda v: ring.pad(v, count * size).reshape(*cut, *v.shape[1:]), tree)


def _unblock(tree: Any, n: int) -> Any:
    return jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:])[:n], tree)


def _take(tree: Any, i: Any) -> Any:
    return jax.tree.map(lambda v: v[i], tree)


def _expand(tree: Any, axis: int) -> Any:
    return jax.tree.map(lambda v: jnp.expand_dims(v, axis), tree)


def _floating(features: Features) -> tuple[Features, Features]:
    """The differentiable features, and the masks and item numbers."""
    kinds = {name: jax.tree.leaves(value)[0].dtype for name, value in features.items()}
    smooth = {k: v for k, v in features.items() if jnp.issubdtype(kinds[k], jnp.floating)}
    return smooth, {k: v for k, v in features.items() if k not in smooth}

"""Transported CCA: a plan between the unmatched sets stands in for the pairs that are missing."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.closed_form.cca import Maps, Spectrum, canonical_maps, spectrum
from gentle_clip_jax.closed_form.neighbours import smooth
from gentle_clip_jax.closed_form.problem import Problem

_DENSE = 2**25  # pairs up to which a plan's costs are held at once: 128 MiB
_BLOCK = 1024


def transported_cca(
    problem: Problem,
    start: Maps,
    *,
    shrinkage: jax.Array | float = 1.0,
    mix: float | None = None,
    epsilon: float = 0.02,
    rounds: int = 4,
    iterations: int = 10,
    dim: int = 128,
    power: float = 0.5,
) -> Maps:
    """CCA whose cross-covariance is partly that of the pairs, partly that of a transport plan.

    A round embeds the unmatched rows by the current maps, finds the entropic transport plan P
    between them, and refits the maps to covariances (1 - w) C_pairs + w C_unmatched, where across
    the modalities C_unmatched = X^T P Y.

    Args:
      problem: the mean of an item's rows stands for it. Time grows with u v, memory with u + v.
      start: maps to begin with, such as `cca` of the pairs; returned if a modality has no
        unmatched items.
      shrinkage: of the covariances; see `cca`.
      mix: w; if not given 250 / (250 + n).
      epsilon: of the plan, in units of the cost, one minus the cosine.
      rounds: how often the plan is made anew.
      iterations: of Sinkhorn's algorithm in a round.
      dim: of the space, at most.
      power: how much a direction counts by its correlation.

    Source: ours; the plan after Cuturi 2013, arXiv 1306.0895, by ott-jax.
    """
    x, y, all_x, all_y = (jnp.mean(items, axis=1) for items in problem)
    if 0 in (len(all_x), len(all_y)):
        return start
    if mix is None:
        mix = _share_of_plan(len(x))
    sides = [_side(pairs, unmatched, mix) for pairs, unmatched in ((x, all_x), (y, all_y))]
    maps = start
    for _ in range(rounds):
        maps = _refit(
            maps,
            *sides,
            mix=mix,
            shrinkage=shrinkage,
            epsilon=epsilon,
            iterations=iterations,
            dim=dim,
            power=power,
        )
    return maps


Side = tuple[jax.Array, jax.Array, jax.Array, jax.Array, Spectrum]


@jax.jit
def _side(pairs: jax.Array, unmatched: jax.Array, mix: float) -> Side:
    """Centred pairs, unmatched rows and their mean, the joint mean, and the joint spectrum."""
    mean, other = jnp.mean(pairs, axis=0), jnp.mean(unmatched, axis=0)
    pairs, unmatched = pairs - mean[None, :], unmatched - other[None, :]
    # One matrix whose rows' covariance is the mixed one.
    weights = jnp.sqrt((1 - mix) / len(pairs)), jnp.sqrt(mix / len(unmatched))
    rows = jnp.concatenate([weights[0] * pairs, weights[1] * unmatched])
    joint = spectrum(rows * jnp.sqrt(jnp.asarray(len(rows), rows.dtype)))
    return pairs, unmatched, other, (1 - mix) * mean + mix * other, joint


@functools.partial(jax.jit, static_argnames=("iterations", "dim"))
def _refit(
    maps: Maps,
    of_x: Side,
    of_y: Side,
    *,
    mix: float,
    shrinkage: jax.Array | float,
    epsilon: float,
    iterations: int,
    dim: int,
    power: float,
) -> Maps:
    (x, all_x, other_x, mean_x, spectrum_x), (y, all_y, other_y, mean_y, spectrum_y) = of_x, of_y
    embedded = maps.embed_x(all_x + other_x[None, :]), maps.embed_y(all_y + other_y[None, :])
    across = transported_covariance(*embedded, all_x, all_y, epsilon=epsilon, iterations=iterations)
    cross = (1 - mix) * (x.T @ y) / len(x) + mix * across
    map_x, map_y = canonical_maps(
        spectrum_x, spectrum_y, cross, shrinkage=shrinkage, dim=dim, power=power
    )
    return Maps(mean_x, map_x, mean_y, map_y)


def transported_covariance(
    embedded_x: jax.Array,
    embedded_y: jax.Array,
    x: jax.Array,
    y: jax.Array,
    *,
    epsilon: float,
    iterations: int,
) -> jax.Array:
    """X^T P Y [dx, dy], P the entropic plan [n, m] between unit rows [n, k] and [m, k], in blocks.

    The last half step of Sinkhorn's algorithm makes the row sums of P exactly 1 / n.
    """
    from ott.geometry.pointcloud import PointCloud  # it takes a second to load
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    # Half the squared distance of unit rows is one minus their cosine.
    epsilon = 2 * epsilon
    batch_size = None if len(x) * len(y) <= _DENSE else _BLOCK
    cloud = PointCloud(embedded_x, embedded_y, epsilon=epsilon, batch_size=batch_size)
    solver = Sinkhorn(
        min_iterations=iterations,
        max_iterations=iterations,
        inner_iterations=iterations,
        threshold=-1.0,
    )
    # ott-jax adds integers to floats and vectors to matrices.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        g = solver(LinearProblem(cloud)).g

    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        rows, features = block
        exponents = (g[None, :] - 2 * (1 - rows @ embedded_y.T)) / epsilon
        # Zero rows pad the last block; their share is 0 by their features.
        shares = jax.nn.softmax(exponents, axis=1) / len(x)
        return total + features.T @ (shares @ y), None

    count = -(-len(x) // _BLOCK)
    padded = [
        jnp.pad(rows, ((0, count * _BLOCK - len(x)), (0, 0))).reshape(count, _BLOCK, -1)
        for rows in (embedded_x, x)
    ]
    total, _ = jax.lax.scan(add, jnp.zeros((x.shape[1], y.shape[1]), x.dtype), tuple(padded))
    return total


class Smoothed(NamedTuple):
    """Maps of features that are drawn towards their neighbours in a bank [m, dx] of x."""

    maps: Maps
    bank: jax.Array
    weight: float

    def smooth_x(self, x: jax.Array) -> jax.Array:
        """Features [n, dx] as the maps take them."""
        return smooth(x, self.bank, weight=self.weight)

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Unit rows [n, k] of features [n, dx]."""
        return self.maps.embed_x(self.smooth_x(x))

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Unit rows [m, k] of features [m, dy]."""
        return self.maps.embed_y(y)


def gentle_transport(problem: Problem, start: Callable[[jax.Array, jax.Array], Maps]) -> Smoothed:
    """`transported_cca` where x is smoothed over its neighbours, the more the fewer the pairs.

    With few pairs, a map that is fitted to single features fits their noise; the mean of an item's
    neighbours, most of them unmatched, has less of it. The weight of the neighbours is 0.7 w,
    w = 250 / (250 + n) that of the plan.

    Args:
      problem: features of matched and unmatched items.
      start: fits maps to pairs [n, dx] and [n, dy], such as a cross-validated `cca`.

    Source: ours; docs/results/negative.md says what else was tried.
    """
    bank = jnp.concatenate([jnp.mean(items, axis=1) for items in (problem.x, problem.unmatched_x)])
    weight = 0.7 * _share_of_plan(len(problem.x))
    smoothed = [
        smooth(jnp.mean(items, axis=1), bank, weight=weight)
        for items in (problem.x, problem.unmatched_x)
    ]
    problem = problem._replace(x=smoothed[0][:, None], unmatched_x=smoothed[1][:, None])
    maps = transported_cca(problem, start(smoothed[0], jnp.mean(problem.y, axis=1)))
    return Smoothed(maps, bank, weight)


def _share_of_plan(num_pairs: int) -> float:
    # At 250 pairs, they and the plan count alike.
    return 250 / (250 + num_pairs)

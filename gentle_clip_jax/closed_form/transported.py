"""Transported CCA: a plan between the unmatched sets stands in for the pairs that are missing."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.closed_form.cca import Maps, Spectrum, canonical_maps, spectrum
from gentle_clip_jax.closed_form.neighbours import smooth
from gentle_clip_jax.closed_form.problem import Problem

_BLOCK = 512  # rows whose cosines are held at once


def transported_cca(
    problem: Problem,
    start: Maps,
    *,
    shrinkage: jax.Array | float | None = None,
    mix: float | None = None,
    epsilon: float = 0.02,
    rounds: int = 8,
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
      shrinkage: of the covariances, see `cca`; if not given 1 + 3s / 2, s = 250 / (250 + n).
      mix: w; if not given 0.5 + 0.3s.
      epsilon: of the plan, in units of the cost, one minus the cosine.
      rounds: how often the plan is made anew.
      iterations: of Sinkhorn's algorithm in a round.
      dim: of the space, at most.
      power: how much a direction counts by its correlation.

    Source: ours; the plan after Cuturi 2013, arXiv 1306.0895.
    """
    x, y, all_x, all_y = (jnp.mean(items, axis=1) for items in problem)
    if 0 in (len(all_x), len(all_y)):
        return start
    if mix is None:
        mix = 0.5 + 0.3 * _scarcity(len(x))
    if shrinkage is None:
        shrinkage = 1 + 1.5 * _scarcity(len(x))
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
    # ott-jax 0.6 has this in blocks, but not on the versions of jax that we run on.
    exponents_x, exponents_y = jnp.zeros_like(x[:, 0]), jnp.zeros_like(y[:, 0])

    def balance(potentials: tuple[jax.Array, jax.Array], _: None):
        rows = -_log_sums(embedded_x, embedded_y, potentials[1], epsilon)
        return (rows, -_log_sums(embedded_y, embedded_x, rows, epsilon)), None

    (_, exponents_y), _ = jax.lax.scan(balance, (exponents_x, exponents_y), length=iterations)

    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        rows, features = block
        # Zero rows pad the last block; they have no share, as their features are zero.
        shares = jax.nn.softmax(rows @ embedded_y.T / epsilon + exponents_y[None, :], axis=1)
        return total + features.T @ (shares @ y), None

    total = jnp.zeros((x.shape[1], y.shape[1]), x.dtype)
    total, _ = jax.lax.scan(add, total, (_blocks(embedded_x), _blocks(x)))
    return total / len(x)


def _log_sums(x: jax.Array, y: jax.Array, exponents: jax.Array, epsilon: float) -> jax.Array:
    """log sum_j exp(x_i . y_j / epsilon + exponents_j) [n]."""
    sums = jax.lax.map(
        lambda rows: jax.nn.logsumexp(rows @ y.T / epsilon + exponents[None, :], axis=1),
        _blocks(x),
    )
    return sums.reshape(-1)[: len(x)]


def _blocks(rows: jax.Array) -> jax.Array:
    """[n, d] -> [count, _BLOCK, d], padded with zeros."""
    count = -(-len(rows) // _BLOCK)
    padded = jnp.pad(rows, ((0, count * _BLOCK - len(rows)), (0, 0)))
    return padded.reshape(count, _BLOCK, rows.shape[1])


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
    neighbours, most of them unmatched, has less of it. The weight of the neighbours is 0.8s,
    s = 250 / (250 + n).

    Args:
      problem: features of matched and unmatched items.
      start: fits maps to pairs [n, dx] and [n, dy], such as a cross-validated `cca`.

    Source: ours; docs/results/negative.md says what else was tried.
    """
    bank = jnp.concatenate([jnp.mean(items, axis=1) for items in (problem.x, problem.unmatched_x)])
    weight = 0.8 * _scarcity(len(problem.x))
    smoothed = [
        smooth(jnp.mean(items, axis=1), bank, weight=weight)
        for items in (problem.x, problem.unmatched_x)
    ]
    problem = problem._replace(x=smoothed[0][:, None], unmatched_x=smoothed[1][:, None])
    maps = transported_cca(problem, start(smoothed[0], jnp.mean(problem.y, axis=1)))
    return Smoothed(maps, bank, weight)


def _scarcity(num_pairs: int) -> float:
    """From 1 without pairs to 0 with many."""
    return 250 / (250 + num_pairs)

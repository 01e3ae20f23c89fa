"""Transported CCA: a plan between the unmatched sets stands in for the pairs that are missing."""

import functools
from typing import TypeVar

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps, Spectrum, canonical_maps, spectrum
from gentle_clip_jax.aligners.cross_validation import Aligner
from gentle_clip_jax.aligners.problem import Problem

_BLOCK = 512  # rows whose cosines are held at once
Start = TypeVar("Start", bound=Aligner)


def transported_cca(
    problem: Problem,
    start: Start,
    *,
    shrinkage: jax.Array | float | None = None,
    mix: float | None = None,
    within: float = 0.0,
    told: jax.Array | None = None,
    epsilon: float = 0.02,
    rounds: int = 8,
    iterations: int = 10,
    dim: int = 128,
    power: float = 0.5,
) -> Maps | Start:
    """CCA whose cross-covariance is partly that of the pairs, partly that of a transport plan.

    A round embeds the unmatched rows by the current maps, finds the entropic transport plan P
    between them, and refits the maps to covariances (1 - w) C_pairs + w C_unmatched, where across
    the modalities C_unmatched = X^T P Y.

    Args:
      problem: the mean of an item's rows stands for it. Time grows with u v, memory with u + v.
      start: what to begin with, such as `cca` of the pairs; returned if a modality has no
        unmatched items.
      shrinkage: of the covariances, see `cca`; if not given 1 + 3s / 2, s = 250 / (250 + n).
      mix: w; if not given 0.5 + 0.3s.
      within: how much the scatter of an item's rows around their mean adds to the covariance of
        their modality; 1 is as if each row were an item.
      told: [u, dy] what each unmatched x is said to be in terms of y, by whatever source; counts as
        its pair, with a weight of 0.3s in the covariance across the modalities.
      epsilon: of the plan, in units of the cost, one minus the cosine.
      rounds: how often the plan is made anew.
      iterations: of Sinkhorn's algorithm in a round.
      dim: of the space, at most.
      power: how much a direction counts by its correlation.

    Source: ours; the plan after Cuturi 2013, arXiv 1306.0895.
    """
    if 0 in (len(problem.unmatched_x), len(problem.unmatched_y)):
        return start
    if mix is None:
        mix = 0.5 + 0.3 * scarcity(len(problem.x))
    if shrinkage is None:
        shrinkage = 1 + 1.5 * scarcity(len(problem.x))
    of_x = _side(problem.x, problem.unmatched_x, mix, within)
    of_y = _side(problem.y, problem.unmatched_y, mix, within)
    trust = 0.0 if told is None else 0.3 * scarcity(len(problem.x))
    known, share = _known(of_x, of_y, told, mix, trust), mix * (1 - trust)
    maps = start
    for _ in range(rounds):
        maps = _refit(
            maps,
            of_x,
            of_y,
            known,
            share=share,
            shrinkage=shrinkage,
            epsilon=epsilon,
            iterations=iterations,
            dim=dim,
            power=power,
        )
    return maps


Side = tuple[jax.Array, jax.Array, jax.Array, jax.Array, Spectrum]


@functools.partial(jax.jit, static_argnames="within")
def _side(pairs: jax.Array, unmatched: jax.Array, mix: float, within: float) -> Side:
    """Centred pairs, unmatched rows and their mean, the joint mean, and the joint spectrum."""
    groups, weights = (pairs, unmatched), (1 - mix, mix)
    means = [jnp.mean(items, axis=(0, 1)) for items in groups]
    matched, lone = (jnp.mean(z, axis=1) - mean[None, :] for z, mean in zip(groups, means))
    # One matrix whose rows' covariance is the mixed one.
    rows = [jnp.sqrt(w / len(z)) * z for w, z in zip(weights, (matched, lone))]
    if within:
        around = [items - jnp.mean(items, axis=1, keepdims=True) for items in groups]
        scatter = jnp.concatenate([items.reshape(-1, items.shape[2]) for items in around])
        rows.append(jnp.sqrt(within / len(scatter)) * scatter)
    joint = jnp.concatenate(rows)
    joint = spectrum(joint * jnp.sqrt(jnp.asarray(len(joint), joint.dtype)))
    return matched, lone, means[1], weights[0] * means[0] + weights[1] * means[1], joint


def _known(of_x: Side, of_y: Side, told: jax.Array | None, mix: float, trust: float) -> jax.Array:
    """The part [dx, dy] of the covariance across the modalities that no plan changes."""
    (x, all_x, *_), (y, all_y, *_) = of_x, of_y
    of_pairs = (1 - mix) * (x.T @ y) / len(x)
    if told is None:
        return of_pairs
    told = told - jnp.mean(told, axis=0)[None, :]
    told = told * jnp.sqrt(jnp.mean(jnp.square(all_y)) / jnp.mean(jnp.square(told)))
    return (1 - trust) * of_pairs + trust * (all_x.T @ told) / len(told)


@functools.partial(jax.jit, static_argnames=("iterations", "dim"))
def _refit(
    maps: Aligner,
    of_x: Side,
    of_y: Side,
    known: jax.Array,
    *,
    share: float,
    shrinkage: jax.Array | float,
    epsilon: float,
    iterations: int,
    dim: int,
    power: float,
) -> Maps:
    (_, all_x, other_x, mean_x, spectrum_x), (_, all_y, other_y, mean_y, spectrum_y) = of_x, of_y
    embedded = maps.embed_x(all_x + other_x[None, :]), maps.embed_y(all_y + other_y[None, :])
    across = transported_covariance(*embedded, all_x, all_y, epsilon=epsilon, iterations=iterations)
    map_x, map_y = canonical_maps(
        spectrum_x, spectrum_y, known + share * across, shrinkage=shrinkage, dim=dim, power=power
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


def scarcity(num_pairs: int) -> float:
    """From 1 without pairs to 0 with many."""
    return 250 / (250 + num_pairs)

"""Transported CCA: a plan between the unmatched sets stands in for the pairs that are missing."""

import functools
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps, Spectrum, canonical_maps, spectrum
from gentle_clip_jax.aligners.cross_validation import Embeds
from gentle_clip_jax.aligners.problem import Features

PLAN_ITEMS = 4096  # unmatched items that make a plan; more change little and cost their square
_BLOCK = 512  # rows whose cosines are held at once
_HELD = 4096 * 4096  # cosines that may be held all at once, which is several times as fast
Start = TypeVar("Start", bound=Embeds)


def transported_cca(
    features: Features,
    start: Start,
    *,
    shrinkage: jax.Array | float | None = None,
    mix: float | None = None,
    within: float = 0.0,
    pseudo_y: jax.Array | None = None,
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
      features: the mean of an item's rows stands for it. Time grows with u v, memory with u + v.
      start: what to begin with, such as `cca` of the pairs; returned if a modality has no
        unmatched items.
      shrinkage: of the covariances, see `cca`; if not given 1 + 3s / 2, s = 250 / (250 + n).
      mix: w; if not given 0.5 + 0.3s.
      within: how much the scatter of an item's rows around their mean adds to the covariance of
        their modality; 1 is as if each row were an item.
      pseudo_y: [u, dy] what the partner of each unmatched x is thought to be; counts as its pair,
        with a weight of 0.3s in the covariance across the modalities.
      epsilon: of the plan, in units of the cost, one minus the cosine.
      rounds: how often the plan is made anew.
      iterations: of Sinkhorn's algorithm in a round.
      dim: of the space, at most.
      power: how much a direction counts by its correlation.

    Source: ours; the plan after Cuturi 2013, arXiv 1306.0895.
    """
    if 0 in (len(features.unmatched_x), len(features.unmatched_y)):
        return start
    if mix is None:
        mix = 0.5 + 0.3 * few_pairs_weight(len(features.x))
    if shrinkage is None:
        shrinkage = 1 + 1.5 * few_pairs_weight(len(features.x))
    of_x = _moments(features.x, features.unmatched_x, mix, within)
    of_y = _moments(features.y, features.unmatched_y, mix, within)
    pseudo_weight = 0.0 if pseudo_y is None else 0.3 * few_pairs_weight(len(features.x))
    known, share = _known(of_x, of_y, pseudo_y, mix, pseudo_weight), mix * (1 - pseudo_weight)
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


class Moments(NamedTuple):
    """Of one modality: rows around their own means, and mean and spectrum of pairs and unmatched.

    matched: [n, d] centred; unmatched: [u, d] centred; unmatched_mean, mean: [d].
    """

    matched: jax.Array
    unmatched: jax.Array
    unmatched_mean: jax.Array
    mean: jax.Array
    spectrum: Spectrum


@functools.partial(jax.jit, static_argnames="within")
def _moments(pairs: jax.Array, unmatched: jax.Array, mix: float, within: float) -> Moments:
    groups, weights = (pairs, unmatched), (1 - mix, mix)
    means = [jnp.mean(items, axis=(0, 1)) for items in groups]
    matched, rest = (jnp.mean(z, axis=1) - mean[None, :] for z, mean in zip(groups, means))
    # One matrix whose rows' covariance is the mixed one.
    rows = [jnp.sqrt(w / len(z)) * z for w, z in zip(weights, (matched, rest))]
    if within:
        around = [items - jnp.mean(items, axis=1, keepdims=True) for items in groups]
        scatter = jnp.concatenate([items.reshape(-1, items.shape[2]) for items in around])
        rows.append(jnp.sqrt(within / len(scatter)) * scatter)
    joint = jnp.concatenate(rows)
    joint = spectrum(joint * jnp.sqrt(jnp.asarray(len(joint), joint.dtype)))
    mean = weights[0] * means[0] + weights[1] * means[1]
    return Moments(matched, rest, means[1], mean, joint)


def _known(
    x: Moments, y: Moments, pseudo_y: jax.Array | None, mix: float, pseudo_weight: float
) -> jax.Array:
    """The part [dx, dy] of the covariance across the modalities that no plan changes."""
    of_pairs = (1 - mix) * (x.matched.T @ y.matched) / len(x.matched)
    if pseudo_y is None:
        return of_pairs
    pseudo_y = pseudo_y - jnp.mean(pseudo_y, axis=0)[None, :]
    size = jnp.mean(jnp.square(y.unmatched)) / jnp.mean(jnp.square(pseudo_y))
    pseudo_y = pseudo_y * jnp.sqrt(size)
    of_pseudo_pairs = (x.unmatched.T @ pseudo_y) / len(pseudo_y)
    return (1 - pseudo_weight) * of_pairs + pseudo_weight * of_pseudo_pairs


@functools.partial(jax.jit, static_argnames=("iterations", "dim"))
def _refit(
    maps: Embeds,
    x: Moments,
    y: Moments,
    known: jax.Array,
    *,
    share: float,
    shrinkage: jax.Array | float,
    epsilon: float,
    iterations: int,
    dim: int,
    power: float,
) -> Maps:
    across = transported_covariance(
        maps.embed_x(x.unmatched + x.unmatched_mean[None, :]),
        maps.embed_y(y.unmatched + y.unmatched_mean[None, :]),
        x.unmatched,
        y.unmatched,
        epsilon=epsilon,
        iterations=iterations,
    )
    map_x, map_y = canonical_maps(
        x.spectrum, y.spectrum, known + share * across, shrinkage=shrinkage, dim=dim, power=power
    )
    return Maps(x.mean, map_x, y.mean, map_y)


def transported_covariance(
    embedded_x: jax.Array,
    embedded_y: jax.Array,
    x: jax.Array,
    y: jax.Array,
    *,
    epsilon: float,
    iterations: int,
) -> jax.Array:
    """X^T P Y [dx, dy], P the entropic plan [n, m] between unit rows [n, k] and [m, k].

    The last half step of Sinkhorn's algorithm makes the row sums of P exactly 1 / n. Small plans
    are held whole, large ones made in blocks again and again; both are the same but for rounding.
    """
    # ott-jax 0.6 has this in blocks, but not on the versions of jax that we run on.
    if len(x) * len(y) <= _HELD:
        return _held(embedded_x @ embedded_y.T / epsilon, x, y, iterations)
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


def _held(exponents: jax.Array, x: jax.Array, y: jax.Array, iterations: int) -> jax.Array:
    """The same from all cosines [n, m] in units of epsilon."""
    # One step in logarithms brings the kernel's columns to 1: what the others change is moderate,
    # so that they may be products.
    exponents = exponents - jax.nn.logsumexp(exponents, axis=1)[:, None]
    kernel = jnp.exp(exponents - jax.nn.logsumexp(exponents, axis=0)[None, :])
    tiny = jnp.finfo(kernel.dtype).tiny

    def balance(columns: jax.Array, _: None) -> tuple[jax.Array, None]:
        rows = 1 / jnp.maximum(kernel @ columns, tiny)
        return 1 / jnp.maximum(rows @ kernel, tiny), None

    columns, _ = jax.lax.scan(balance, jnp.ones_like(kernel[0]), length=max(iterations - 1, 0))
    sums = jnp.maximum(kernel @ columns, tiny)
    return x.T @ (kernel @ (columns[:, None] * y) / sums[:, None]) / len(x)


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


def few_pairs_weight(num_pairs: int) -> float:
    """From 1 without pairs to 0 with many."""
    return 250 / (250 + num_pairs)


def plan_part(features: Features) -> Features:
    """The features with as many of their unmatched items as make a plan."""
    return features._replace(
        unmatched_x=features.unmatched_x[:PLAN_ITEMS], unmatched_y=features.unmatched_y[:PLAN_ITEMS]
    )

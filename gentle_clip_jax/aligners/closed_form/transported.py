"""Transported CCA: a plan between the unmatched sets replaces missing pairs."""

import functools
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from gentle_clip_jax.aligners.closed_form import kept_rounds
from gentle_clip_jax.aligners.closed_form.cca import Maps, Spectrum, canonical_maps, spectrum
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.progress import track

Start = TypeVar("Start", bound=Embeds)
# The last rounds between large sets make one plan, of as many items as two cores process in
# minutes; two iterations are nearly as good as ten (docs/results/speed.md).
LAST_ITEMS = 131_072
LAST_ROUNDS, _LAST_ITERATIONS = 2, 2


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
    batch: int = PLAN_ITEMS,
    last_batch: int = LAST_ITEMS,
    dim: int = 128,
    power: float = 0.5,
) -> Maps | Start:
    """Fit CCA whose cross-covariance is partly that of the pairs, partly that of a transport plan.

    A round embeds the unmatched rows by the current maps, finds the entropic transport plan P
    between them, and refits the maps to covariances (1 - w) C_pairs + w C_unmatched, where across
    the modalities C_unmatched = X^T P Y. Between large sets it is the mean of X^T P Y over plans
    between batches, which are sampled afresh in each round and cover every item; the last two
    rounds make one plan of all, with two iterations.

    Args:
      features: an item is the mean of its rows. Memory grows with u + v, time with u v.
      start: initial maps, such as `cca` of the pairs; returned if a modality has no
        unmatched items.
      shrinkage: of the covariances, see `cca`; if not given 1 + 3s / 2, s = 250 / (250 + n).
      mix: w; if not given 0.5 + 0.3s.
      within: how much the scatter of an item's rows around their mean adds to the covariance of
        their modality; 1 is as if each row were an item.
      pseudo_y: [u, dy] predicted partner of each unmatched x; counts as its pair with a weight of
        0.3s in the covariance across the modalities.
      epsilon: of the plan, in units of the cost, one minus the cosine.
      rounds: number of transport rounds.
      iterations: of Sinkhorn's algorithm in a round.
      batch: items of either modality in one plan, at most.
      last_batch: likewise of the last two rounds, if there are more than `batch`.
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
    fixed, share = _known(of_x, of_y, pseudo_y, mix, pseudo_weight), mix * (1 - pseudo_weight)
    counts = len(of_x.unmatched), len(of_y.unmatched)
    maps, done, identity, is_long = start, 0, None, max(counts) > batch
    if is_long:
        settings = {"share": share, "shrinkage": float(shrinkage), "epsilon": epsilon, "dim": dim}
        settings |= {"iterations": iterations, "batch": batch, "last_batch": last_batch}
        arrays = (of_x.matched, of_x.unmatched, of_y.matched, of_y.unmatched, fixed)
        identity = kept_rounds.identity(arrays, settings | {"rounds": rounds, "power": power})
        done, cached = kept_rounds.last(identity)
        maps = cached or start
    left = range(done, rounds)
    for number in track(left, "rounds of plans") if is_long else left:
        is_last = is_long and number >= rounds - LAST_ROUNDS and last_batch > batch
        batches = _batches(*counts, last_batch if is_last else batch, seed=number)
        maps = _refit(
            maps,
            of_x,
            of_y,
            fixed,
            batches,
            share=share,
            shrinkage=shrinkage,
            epsilon=epsilon,
            iterations=min(iterations, _LAST_ITERATIONS) if is_last else iterations,
            dim=dim,
            power=power,
        )
        if is_long:
            jax.block_until_ready(maps)  # else progress shows all rounds at once
            kept_rounds.keep(identity, number + 1, maps)
    return maps


class Moments(NamedTuple):
    """Moments of a modality: centred rows, and mean and spectrum of pairs and unmatched items.

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
    parts = [(w / len(z), z) for w, z in zip(weights, (matched, rest))]
    if within and pairs.shape[1] > 1:
        around = [items - jnp.mean(items, axis=1, keepdims=True) for items in groups]
        scatter = jnp.concatenate([items.reshape(-1, items.shape[2]) for items in around])
        parts.append((within / len(scatter), scatter))
    mean = weights[0] * means[0] + weights[1] * means[1]
    return Moments(matched, rest, means[1], mean, _joint_spectrum(parts))


def _joint_spectrum(parts: Sequence[tuple[jax.Array | float, jax.Array]]) -> Spectrum:
    """Return the spectrum of the sum of w z^T z over weights w and rows z [n, d]."""
    count, width = sum(len(rows) for _, rows in parts), parts[0][1].shape[1]
    if count >= width:
        covariance = jnp.zeros((width, width), parts[0][1].dtype)
        for weight, rows in parts:
            covariance += weight * (rows.T @ rows)
        return Spectrum(*jnp.linalg.eigh(covariance))
    joint = jnp.concatenate([jnp.sqrt(count * weight) * rows for weight, rows in parts])
    return spectrum(joint)


def _known(
    x: Moments, y: Moments, pseudo_y: jax.Array | None, mix: float, pseudo_weight: float
) -> jax.Array:
    """Return the part [dx, dy] of the cross-covariance that no plan changes."""
    of_pairs = (1 - mix) * (x.matched.T @ y.matched) / len(x.matched)
    if pseudo_y is None:
        return of_pairs
    pseudo_y = pseudo_y - jnp.mean(pseudo_y, axis=0)[None, :]
    size = jnp.mean(jnp.square(y.unmatched)) / jnp.mean(jnp.square(pseudo_y))
    pseudo_y = pseudo_y * jnp.sqrt(size)
    of_pseudo_pairs = (x.unmatched.T @ pseudo_y) / len(pseudo_y)
    return (1 - pseudo_weight) * of_pairs + pseudo_weight * of_pseudo_pairs


Batches = tuple[jax.Array, jax.Array]


def _batches(count_x: int, count_y: int, size: int, *, seed: int) -> Batches | None:
    """Return item numbers [b, n] and [b, m] of b plans: each item in one, or a few in several.

    None for a single plan of all items.
    """
    rng, counts = np.random.default_rng(seed), (count_x, count_y)
    plans = max(-(-count // size) for count in counts)
    if plans == 1:
        return None
    of_x, of_y = (np.resize(rng.permutation(n), (plans, min(n, size))) for n in counts)
    return jnp.asarray(of_x), jnp.asarray(of_y)


@functools.partial(jax.jit, static_argnames=("iterations", "dim"))
def _refit(
    maps: Embeds,
    x: Moments,
    y: Moments,
    fixed: jax.Array,
    batches: Batches | None,
    *,
    share: float,
    shrinkage: jax.Array | float,
    epsilon: float,
    iterations: int,
    dim: int,
    power: float,
) -> Maps:
    def planned(some_x: jax.Array, some_y: jax.Array) -> jax.Array:
        embedded = (
            maps.embed_x(some_x + x.unmatched_mean[None, :]),
            maps.embed_y(some_y + y.unmatched_mean[None, :]),
        )
        return transported_covariance(
            *embedded, some_x, some_y, epsilon=epsilon, iterations=iterations
        )

    def add(total: jax.Array, batch: Batches) -> tuple[jax.Array, None]:
        return total + planned(x.unmatched[batch[0]], y.unmatched[batch[1]]), None

    if batches is None:
        across = planned(x.unmatched, y.unmatched)
    else:
        across = jax.lax.scan(add, jnp.zeros_like(fixed), batches)[0] / len(batches[0])
    cross = fixed + share * across
    map_x, map_y = canonical_maps(
        x.spectrum, y.spectrum, cross, shrinkage=shrinkage, dim=dim, power=power
    )
    return Maps(x.mean, map_x, y.mean, map_y)


def few_pairs_weight(num_pairs: int) -> float:
    """Return a weight from 1 without pairs to 0 with many."""
    return 250 / (250 + num_pairs)


def plan_part(features: Features, items: int = PLAN_ITEMS) -> Features:
    """Return the features with only the first of their unmatched items."""
    return features._replace(
        unmatched_x=features.unmatched_x[:items], unmatched_y=features.unmatched_y[:items]
    )

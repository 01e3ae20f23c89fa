"""Transported CCA: a plan between the unmatched sets replaces missing pairs."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import jax
import numpy as np

from gentle_clip_jax.aligners.closed_form import kept_rounds
from gentle_clip_jax.aligners.closed_form.arrays import Array, centred, compiled_for_jax, scan
from gentle_clip_jax.aligners.closed_form.cca import (
    Maps,
    canonical_maps,
    covariance_whitening,
    spectrum,
    whitening,
)
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features
from gentle_clip_jax.aligners.settings import Transport
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.storage.progress import track

Start = TypeVar("Start", bound=Embeds)


def transported_cca(
    features: Features,
    start: Start,
    *,
    weights: Array | None = None,
    shrinkage: jax.Array | float | None = None,
    mix: float | None = None,
    within: float = 0.0,
    pseudo_y: jax.Array | None = None,
    epsilon: float = Transport.epsilon,
    rounds: int = Transport.rounds,
    iterations: int = Transport.iterations,
    batch: int = PLAN_ITEMS,
    last_batch: int = Transport.last_items,
    dim: int = Transport.dim,
    power: float = Transport.power,
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
      weights: [n] of the pairs, 1 for one that counts in full; equal if not given.
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
    few = few_pairs_weight(len(features.x) if weights is None else round(float(weights.sum())))
    mix = Transport.mix + Transport.mix_few * few if mix is None else mix
    shrinkage = few_pairs_shrinkage(few) if shrinkage is None else shrinkage
    of_x = _moments(features.x, features.unmatched_x, mix, shrinkage, within, weights)
    of_y = _moments(features.y, features.unmatched_y, mix, shrinkage, within, weights)
    pseudo_weight = 0.0 if pseudo_y is None else Transport.pseudo_pairs * few
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
        is_last = is_long and number >= rounds - Transport.last_rounds and last_batch > batch
        batches = _batches(*counts, last_batch if is_last else batch, seed=number)
        maps = _refit(
            maps,
            of_x,
            of_y,
            fixed,
            batches,
            share=share,
            epsilon=epsilon,
            iterations=min(iterations, Transport.last_iterations) if is_last else iterations,
            dim=dim,
            power=power,
        )
        if is_long:
            jax.block_until_ready(maps)  # else progress shows all rounds at once
            kept_rounds.keep(identity, number + 1, maps)
    return maps


class Moments(NamedTuple):
    """Moments of a modality: centred rows, and mean and whitening of pairs and unmatched items.

    matched: [n, d] centred, weighted as by `centred`; unmatched: [u, d] centred.
    unmatched_mean, mean: [d]. white: [d, r], see `cca.whitening`.
    """

    matched: Array
    unmatched: Array
    unmatched_mean: Array
    mean: Array
    white: Array


@compiled_for_jax(static_argnames="within")
def _moments(
    pairs: Array,
    unmatched: Array,
    mix: float,
    shrinkage: jax.Array | float,
    within: float,
    weights: Array | None = None,
) -> Moments:
    groups = pairs, unmatched
    (of_pairs, matched), (of_rest, rest) = (
        centred(items.mean(axis=1), of) for items, of in zip(groups, (weights, None))
    )
    parts = [((1 - mix) / len(matched), matched), (mix / len(rest), rest)]
    if within and pairs.shape[1] > 1:
        xp = pairs.__array_namespace__()
        around = [items - xp.mean(items, axis=1, keepdims=True) for items in groups]
        scatter = xp.concatenate([items.reshape(-1, items.shape[2]) for items in around])
        parts.append((within / len(scatter), scatter))
    mean = (1 - mix) * of_pairs + mix * of_rest
    return Moments(matched, rest, of_rest, mean, _joint_whitening(parts, shrinkage))


def _joint_whitening(
    parts: Sequence[tuple[Array | float, Array]], shrinkage: jax.Array | float
) -> Array:
    """Return what whitens the sum of w z^T z over weights w and rows z [n, d]."""
    count, width = sum(len(rows) for _, rows in parts), parts[0][1].shape[1]
    xp = parts[0][1].__array_namespace__()
    if count >= width:
        covariance = xp.zeros((width, width), parts[0][1].dtype)
        for weight, rows in parts:
            covariance += weight * (rows.T @ rows)
        return covariance_whitening(covariance, shrinkage)
    joint = xp.concatenate([(count * weight) ** 0.5 * rows for weight, rows in parts])
    return whitening(spectrum(joint), shrinkage)


def _known(
    x: Moments, y: Moments, pseudo_y: Array | None, mix: float, pseudo_weight: float
) -> Array:
    """Return the part [dx, dy] of the cross-covariance that no plan changes."""
    of_pairs = (1 - mix) * (x.matched.T @ y.matched) / len(x.matched)
    if pseudo_y is None:
        return of_pairs
    xp, (_, partners) = pseudo_y.__array_namespace__(), centred(pseudo_y)
    size = xp.mean(xp.square(y.unmatched)) / xp.mean(xp.square(partners))
    of_pseudo_pairs = (x.unmatched.T @ (partners * xp.sqrt(size))) / len(partners)
    return (1 - pseudo_weight) * of_pairs + pseudo_weight * of_pseudo_pairs


Batches = tuple[np.ndarray, np.ndarray]


def _batches(count_x: int, count_y: int, size: int, *, seed: int) -> Batches | None:
    """Return item numbers [b, n] and [b, m] of b plans: each item in one, or a few in several.

    None for a single plan of all items.
    """
    rng, counts = np.random.default_rng(seed), (count_x, count_y)
    plans = max(-(-count // size) for count in counts)
    if plans == 1:
        return None
    of_x, of_y = (np.resize(rng.permutation(n), (plans, min(n, size))) for n in counts)
    return of_x, of_y


@compiled_for_jax(static_argnames=("iterations", "dim"))
def _refit(
    maps: Embeds,
    x: Moments,
    y: Moments,
    fixed: Array,
    batches: Batches | None,
    *,
    share: float,
    epsilon: float,
    iterations: int,
    dim: int,
    power: float,
) -> Maps:
    def planned(some_x: Array, some_y: Array) -> Array:
        embedded = (
            maps.embed_x(some_x + x.unmatched_mean[None, :]),
            maps.embed_y(some_y + y.unmatched_mean[None, :]),
        )
        return transported_covariance(
            *embedded, some_x, some_y, epsilon=epsilon, iterations=iterations
        )

    def add(total: Array, batch: Batches) -> tuple[Array, None]:
        return total + planned(x.unmatched[batch[0]], y.unmatched[batch[1]]), None

    if batches is None:
        across = planned(x.unmatched, y.unmatched)
    else:
        across = scan(add, 0 * fixed, batches)[0] / len(batches[0])
    cross = fixed + share * across
    map_x, map_y = canonical_maps(x.white, y.white, cross, dim=dim, power=power)
    return Maps(x.mean, map_x, y.mean, map_y)


def few_pairs_weight(num_pairs: int) -> float:
    """Return a weight from 1 without pairs to 0 with many."""
    return Transport.scale / (Transport.scale + num_pairs)


def few_pairs_shrinkage(few: float) -> float:
    """Return the shrinkage of covariances of all items, by `few_pairs_weight`."""
    return Transport.shrinkage + Transport.shrinkage_few * few


def plan_part(features: Features, items: int = PLAN_ITEMS) -> Features:
    """Return the features with only the first of their unmatched items."""
    return features._replace(
        unmatched_x=features.unmatched_x[:items], unmatched_y=features.unmatched_y[:items]
    )

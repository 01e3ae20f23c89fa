"""Ideas that gentle transport's rounds do not hold, for benchmarks/negative.py.

What each is fitted to are the features of `negative.py`; each returns what embeds them, but for
`balanced`, which changes what is measured.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from ott.geometry.geometry import Geometry
from ott.solvers import linear

from gentle_clip_jax.aligners import closed_form
from gentle_clip_jax.aligners.closed_form.cca import canonical_maps, spectrum
from gentle_clip_jax.aligners.closed_form.k_means import k_means
from gentle_clip_jax.aligners.closed_form.transported import few_pairs_weight
from gentle_clip_jax.compare.pool import Pool
from gentle_clip_jax.losses import pairwise

Features = closed_form.Features


class Turned(NamedTuple):
    """An aligner whose rows are turned by two more maps [k, k]; unit rows."""

    aligned: closed_form.Smoothed
    map_x: jax.Array
    map_y: jax.Array

    def embed_x(self, x):
        return pairwise.normalize(self.aligned.embed_x(x) @ self.map_x)

    def embed_y(self, y):
        return pairwise.normalize(self.aligned.embed_y(y) @ self.map_y)


def info_nce(scores: jax.Array) -> jax.Array:
    """Of cosines [n, n] of pairs, at the temperature of CLIP's start."""
    logits = scores / 0.07
    both = jax.nn.logsumexp(logits, axis=1) + jax.nn.logsumexp(logits, axis=0)
    return jnp.mean(both / 2 - jnp.diagonal(logits))


def rcsls(scores: jax.Array, count: int = 10) -> jax.Array:
    """Joulin et al. 2018, arXiv 1804.07745, equation 5: cosines less those of the nearest rows."""
    near = [jnp.mean(jax.lax.top_k(side, count)[0], axis=1) for side in (scores, scores.T)]
    return jnp.mean(near[0] + near[1] - 2 * jnp.diagonal(scores))


def head(aligned, features: Features, loss: Callable, shrinkage: float) -> Turned:
    """Maps I + A, I + B of least loss on the pairs, plus shrinkage times |A|^2 + |B|^2."""
    x = aligned.embed_x(jnp.mean(features.x, axis=1))
    y = aligned.embed_y(jnp.mean(features.y, axis=1))
    size = x.shape[1]

    @jax.jit
    def objective(flat):
        a, b = flat.reshape(2, size, size)
        rows = pairwise.normalize(x + x @ a), pairwise.normalize(y + y @ b)
        return loss(rows[0] @ rows[1].T) + shrinkage * jnp.sum(jnp.square(flat))

    gradient = jax.jit(jax.value_and_grad(objective))
    found = scipy.optimize.minimize(
        lambda flat: [
            np.asarray(part, np.float64) for part in gradient(jnp.asarray(flat, x.dtype))
        ],
        np.zeros(2 * size * size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 100},
    )
    a, b = jnp.asarray(found.x, x.dtype).reshape(2, size, size)
    return Turned(aligned, jnp.eye(size) + a, jnp.eye(size) + b)


def group_answers(gentle: Callable, asked: int, groups: int = 30) -> Callable:
    """Of the last `asked` pairs a person said the partner's group alone: its mean stands for it."""

    def idea(features: Features):
        known, y = len(features.x) - asked, jnp.mean(features.y, axis=1)
        texts = jnp.concatenate([jnp.mean(features.unmatched_y, axis=1), y[known:]])
        centers = k_means(texts, jax.random.key(0), groups)
        square = jnp.sum(jnp.square(centers), axis=1)
        group = jnp.argmin(square[None, :] - 2 * y[known:] @ centers.T, axis=1)
        told = jnp.repeat(centers[group][:, None], features.y.shape[1], axis=1)
        return gentle(
            features._replace(
                y=jnp.concatenate([features.y[:known], told]),
                unmatched_y=jnp.concatenate([features.unmatched_y, features.y[known:]]),
            )
        )

    return idea


def not_asked(gentle: Callable, asked: int) -> Callable:
    """Without the last `asked` pairs, whose items are unmatched then."""

    def idea(features: Features):
        known = len(features.x) - asked
        return gentle(
            Features(
                features.x[:known],
                features.y[:known],
                jnp.concatenate([features.unmatched_x, features.x[known:]]),
                jnp.concatenate([features.unmatched_y, features.y[known:]]),
            )
        )

    return idea


def coarse_to_fine(smoothed: Features, start, counts=(30, 100, 300)):
    """Maps of plans between the means of ever more clusters, each begun by those before."""
    maps = start
    for count in counts:
        means = [
            k_means(jnp.mean(items, axis=1), jax.random.key(count), count)[:, None]
            for items in (smoothed.unmatched_x, smoothed.unmatched_y)
        ]
        coarse = smoothed._replace(unmatched_x=means[0], unmatched_y=means[1])
        maps = closed_form.transported_cca(coarse, maps, within=0.5, rounds=3)
    return closed_form.transported_cca(smoothed, maps, within=0.5)


def em(smoothed: Features, rounds: int = 8) -> closed_form.Maps:
    """Probabilistic CCA (Bach and Jordan 2005) whose unmatched partners are hidden.

    E: the chance of each unmatched y to be the partner of each unmatched x, by the likelihood
    ratio of the pair under the model. M: CCA of the pairs and of what is expected of the others.
    """
    x, y, unmatched_x, unmatched_y = (jnp.mean(items, axis=1) for items in smoothed)
    means = [
        jnp.mean(jnp.concatenate(both), axis=0) for both in ((x, unmatched_x), (y, unmatched_y))
    ]
    x, unmatched_x = x - means[0][None, :], unmatched_x - means[0][None, :]
    y, unmatched_y = y - means[1][None, :], unmatched_y - means[1][None, :]
    few = few_pairs_weight(len(x))
    mix, shrinkage = 0.5 + 0.3 * few, 1 + 1.5 * few
    spectra = [
        spectrum(
            jnp.concatenate(
                [jnp.sqrt((1 - mix) / len(own)) * own, jnp.sqrt(mix / len(rest)) * rest]
            )
            * jnp.sqrt(len(own) + len(rest))
        )
        for own, rest in ((x, unmatched_x), (y, unmatched_y))
    ]
    of_pairs = x.T @ y / len(x)
    across = of_pairs
    for _ in range(rounds):
        # Of power 1/2 both maps hold the root of the correlations, which their product gives back.
        map_x, map_y = canonical_maps(*spectra, across, shrinkage=shrinkage, dim=128, power=0.5)
        root = jnp.sqrt(jnp.sum(jnp.square(unmatched_x @ map_x), axis=0) / len(unmatched_x))
        correlation = jnp.clip(jnp.square(root), 0, 0.98)
        u, v = (unmatched_x @ map_x) / root[None, :], (unmatched_y @ map_y) / root[None, :]
        # log p(u, v) - log p(u) - log p(v) of unit normal u, v of that correlation.
        scale = correlation / (1 - jnp.square(correlation))
        own = 0.5 * jnp.sum((scale * correlation)[None, :] * jnp.square(v), axis=1)
        shares = jax.nn.softmax((u * scale[None, :]) @ v.T - own[None, :], axis=1)
        expected = unmatched_x.T @ (shares @ unmatched_y) / len(unmatched_x)
        across = (1 - mix) * of_pairs + mix * expected
    map_x, map_y = canonical_maps(*spectra, across, shrinkage=shrinkage, dim=128, power=0.5)
    return closed_form.Maps(means[0], map_x, means[1], map_y)


def graph_matched(features: Features, smoothed: Features, count: int = 800, near: int = 20):
    """Partners of `count` unmatched items by seeded graph matching, the pairs being the seeds.

    FAQ (Vogelstein et al. 2015; seeds after Fishkind et al. 2019) between the graphs of nearest
    neighbours of both modalities; returns the features with those partners as further pairs.
    """
    graphs, known = [], len(features.x)
    for pairs, rest in ((smoothed.x, smoothed.unmatched_x), (smoothed.y, smoothed.unmatched_y)):
        rows = pairwise.normalize(jnp.mean(jnp.concatenate([pairs, rest[:count]]), axis=1))
        cosines = np.array(rows @ rows.T)
        np.fill_diagonal(cosines, -1)
        least = np.partition(cosines, -near, axis=1)[:, -near, None]
        graphs.append(((cosines >= least) | (cosines >= least).T).astype(float))
    seeds = np.stack([np.arange(known)] * 2, axis=1)
    options = {"maximize": True, "partial_match": seeds, "maxiter": 20}
    matched = scipy.optimize.quadratic_assignment(*graphs, method="faq", options=options)
    partner = matched.col_ind[known:] - known
    return features._replace(
        x=jnp.concatenate([features.x, features.unmatched_x[:count]]),
        y=jnp.concatenate([features.y, features.unmatched_y[partner]]),
    )


class AsTheyAre:
    """Rows that are embedded already."""

    def embed_x(self, x):
        return x

    embed_y = embed_x


def balanced(aligner, items: Pool, epsilon: float) -> Pool:
    """Items to measure `AsTheyAre`, whose galleries are balanced over all that is asked of them.

    Each cosine is raised by the potentials of the entropic plan between all x and all y of a set,
    those of equal masses: an image, a caption or a class that is near to all loses. Somebody who
    asks one question does not know the others, so it is no readout of an aligner.

    Source: Bogolin et al. 2022, arXiv 2112.12777, for such galleries; the plan is Cuturi's.
    """
    retrieval = {}
    for name, one in items.retrieval.items():
        x, y = raised(aligner.embed_x(one.x), aligner.embed_y(one.y), epsilon)
        retrieval[name] = one._replace(x=x, y=y)
    zero_shot = {}
    for name, one in items.zero_shot.items():
        x, classes = raised(aligner.embed_x(one.x), aligner.embed_y(one.classes), epsilon)
        zero_shot[name] = one._replace(x=x, classes=classes)
    return items._replace(retrieval=retrieval, zero_shot=zero_shot)


def raised(x: jax.Array, y: jax.Array, epsilon: float) -> tuple[jax.Array, jax.Array]:
    """Rows of one length whose products order as x_i . y_j + f_i + g_j does."""
    solved = linear.solve(Geometry(-(x @ y.T), epsilon=epsilon), max_iterations=500)
    f, g = solved.f[:, None], solved.g[:, None]
    x = jnp.concatenate([x, f, jnp.ones_like(f)], axis=1)
    y = jnp.concatenate([y, jnp.ones_like(g), g], axis=1)
    squares = [jnp.sum(jnp.square(rows), axis=1, keepdims=True) for rows in (x, y)]
    most = jnp.maximum(jnp.max(squares[0]), jnp.max(squares[1]))
    # A column of zeros on the other side changes no product.
    rest = [jnp.sqrt(jnp.maximum(most - square, 0)) for square in squares]
    return (
        jnp.concatenate([x, rest[0], jnp.zeros_like(rest[0])], axis=1),
        jnp.concatenate([y, jnp.zeros_like(rest[1]), rest[1]], axis=1),
    )

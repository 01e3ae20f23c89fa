"""Alignment of two sets without pairs: an initial map, then transport rounds."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.cca import Maps, canonical_maps, spectrum
from gentle_clip_jax.aligners.closed_form.k_means import k_means
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.losses import pairwise

_SHRINKAGE = 3.0
_TEXTS, _SHARP = 20, 0.05  # texts nearest to a name, and the temperature of their shares


class Named(NamedTuple):
    """Class predictions of an image encoder's own classifier, mapped into the space of texts.

    classifier [c, dx]; names [c, dy]: features of the classes' names; mean_x, mean_y [dy]: means of
    both modalities.
    """

    classifier: jax.Array
    names: jax.Array
    mean_x: jax.Array
    mean_y: jax.Array
    temperature: float

    def pseudo_y(self, x: jax.Array) -> jax.Array:
        """Return mean features [n, dy] of the names, by class probabilities of x [n, dx]."""
        return jax.nn.softmax(x @ self.classifier.T / self.temperature, axis=1) @ self.names

    def embed_x(self, x: jax.Array) -> jax.Array:
        """Return unit rows [n, dy] of features [n, dx]."""
        return pairwise.normalize(self.pseudo_y(x) - self.mean_x[None, :])

    def embed_y(self, y: jax.Array) -> jax.Array:
        """Return unit rows [m, dy] of features [m, dy]."""
        return pairwise.normalize(y - self.mean_y[None, :])


def named_classes(
    x: jax.Array,
    y: jax.Array,
    classifier: jax.Array,
    names: jax.Array,
    *,
    temperature: float = 2.0,
) -> Named:
    """Fit initial maps to the names of the classes that the image encoder was trained on.

    Texts differ from class names: a class is represented by its name and, with equal weight, by
    the mean of the 20 texts that are nearest to it.

    Args:
      x: [n, dx] features of images, centred, so that the common part predicts no class.
      y: [m, dy] features of texts.
      classifier: [c, dx] the weights of the last layer of the encoder, in the units of x.
      names: [c, dy] features of the classes' names, in the units of y.
      temperature: of the softmax over classes.

    Source: Norouzi et al., arXiv 1312.5650 (ConSE), over all classes and unseen texts; the texts
    nearest to a name are ours.
    """
    zero, mean_y = jnp.zeros_like(names[0]), jnp.mean(y, axis=0)
    names = _blended_with_texts(names - jnp.mean(names, axis=0)[None, :], y - mean_y[None, :])
    plain = Named(classifier, names, zero, mean_y, temperature)
    return plain._replace(mean_x=jnp.mean(plain.pseudo_y(x), axis=0))


@jax.jit
def _blended_with_texts(names: jax.Array, texts: jax.Array) -> jax.Array:
    """Average the names [c, d] with the means of their nearest texts [m, d]; all are centred."""
    cosines = pairwise.similarity(pairwise.normalize(names), pairwise.normalize(texts))
    cosines, nearest = jax.lax.top_k(cosines, min(_TEXTS, len(texts)))
    shares = jax.nn.softmax(cosines / _SHARP, axis=1)
    means = jnp.einsum("ck,ckd->cd", shares, texts[nearest])
    length, tiny = jnp.linalg.norm(names), jnp.finfo(names.dtype).tiny  # names may be all the same
    return (means + names * jnp.linalg.norm(means) / jnp.maximum(length, tiny)) / 2


def matched_clusters(
    x: jax.Array, y: jax.Array, key: jax.Array, *, clusters: int = 12, epsilon: float = 0.01
) -> Maps:
    """Fit initial maps to the structure of both sets: k-means centres matched by distances.

    Args:
      x: [n, dx] features.
      y: [m, dy] features.
      key: of the first centres, and of a small random cost of matches, so that keys are restarts.
      clusters: k of either modality.
      epsilon: of the entropic Gromov-Wasserstein plan by ott-jax, distances being 1 in the mean.

    Source: Peyré, Cuturi and Solomon 2016, ICML.
    """
    key_x, key_y, key_cost = jax.random.split(key, 3)
    centers_x, centers_y = k_means(x, key_x, clusters), k_means(y, key_y, clusters)
    plan = _gromov_wasserstein(_distances(centers_x), _distances(centers_y), key_cost, epsilon)
    mean_x, mean_y = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    cross = (centers_x - mean_x[None, :]).T @ plan @ (centers_y - mean_y[None, :])
    map_x, map_y = canonical_maps(
        spectrum(x - mean_x[None, :]),
        spectrum(y - mean_y[None, :]),
        cross,
        shrinkage=_SHRINKAGE,
        dim=clusters - 1,
        power=0.5,
    )
    return Maps(mean_x, map_x, mean_y, map_y)


def align_without_pairs(
    x: jax.Array, y: jax.Array, starts: Iterable[Embeds], *, rounds: int = 6
) -> tuple[Embeds, list[float]]:
    """Fit `transported_cca` without pairs from each start; return the best-scored maps.

    Args:
      x: [n, j, dx] features of items of one modality, j rows an item.
      y: [m, k, dy] features of items of the other.
      starts: aligners to begin with.
      rounds: number of transport rounds.

    Returns:
      The maps with the highest score, and the score of each start: the mean cosine of x and y under
      the plan between them, after the last round. A high score shows that
      two sets fit each other, not that the match is right: docs/results/diagnose.md measures it.
    """
    # A pair at the origin, with weight 0.
    origin = jnp.zeros_like(x[:1]), jnp.zeros_like(y[:1])
    features = Features(*origin, x, y)
    fits = [
        transported_cca(features, start, mix=1.0, shrinkage=_SHRINKAGE, within=0.5, rounds=rounds)
        for start in starts
    ]
    mean_x, mean_y = jnp.mean(x, axis=1), jnp.mean(y, axis=1)
    scores = [float(_planned_cosine(maps.embed_x(mean_x), maps.embed_y(mean_y))) for maps in fits]
    return fits[max(range(len(fits)), key=scores.__getitem__)], scores


def of_names_alone(
    features: Features, classifier: jax.Array, names: jax.Array
) -> tuple[Embeds, float]:
    """Fit maps to names of classes and unmatched items, without the pairs; return their score.

    Args:
      features: standardised; the pairs are ignored.
      classifier, names: see `named_classes`.
    """
    x, y = features.unmatched_x, features.unmatched_y
    start = named_classes(jnp.mean(x, axis=1), jnp.mean(y, axis=1), classifier, names)
    maps, scores = align_without_pairs(x, y, [start])
    return maps, scores[0]


@jax.jit
def _planned_cosine(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.trace(transported_covariance(x, y, x, y, epsilon=0.02, iterations=10))


def _distances(rows: jax.Array) -> jax.Array:
    """Return Euclidean distances [n, n], 1 in the mean."""
    distances = jnp.linalg.norm(rows[:, None, :] - rows[None, :, :], axis=2)
    return distances / jnp.mean(distances)


@functools.partial(jax.jit, static_argnames=("epsilon", "pull"))
def _gromov_wasserstein(
    x: jax.Array, y: jax.Array, key: jax.Array, epsilon: float, pull: float = 0.05
) -> jax.Array:
    """Return the plan [n, m] between two distance matrices; a random cost breaks symmetry."""
    try:
        from ott.geometry.geometry import Geometry
        from ott.problems.quadratic.quadratic_problem import QuadraticProblem
        from ott.solvers.linear.sinkhorn import Sinkhorn
        from ott.solvers.quadratic.gromov_wasserstein import GromovWasserstein
    except ModuleNotFoundError as error:
        raise ValueError(
            'Gromov-Wasserstein needs ott-jax: run pip install "gentle-clip-jax[transport]"'
        ) from error

    cost = Geometry(jax.random.uniform(key, (len(x), len(y)), x.dtype))
    solver = GromovWasserstein(Sinkhorn(), epsilon=epsilon, max_iterations=30)
    # ott-jax adds integers to floats and vectors to matrices.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        problem = QuadraticProblem(Geometry(x), Geometry(y), geom_xy=cost, fused_penalty=pull)
        return solver(problem).matrix

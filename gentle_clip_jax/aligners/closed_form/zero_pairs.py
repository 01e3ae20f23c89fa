"""Alignment of two sets without pairs: an initial map by names of classes, then transport."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gentle_clip_jax.aligners.closed_form.arrays import Array, softmax, unit_rows
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.cross_validation import Embeds
from gentle_clip_jax.losses import pairwise

_SHRINKAGE, _ROUNDS = 3.0, 6
_TEXTS, _SHARP = 20, 0.05  # texts nearest to a name, and the temperature of their shares


class Named(NamedTuple):
    """Class predictions of an image encoder's own classifier, mapped into the space of texts.

    classifier [c, dx]; names [c, dy]: features of the classes' names; mean_x, mean_y [dy]: means of
    both modalities.
    """

    classifier: Array
    names: Array
    mean_x: Array
    mean_y: Array
    temperature: float

    def pseudo_y(self, x: Array) -> Array:
        """Return mean features [n, dy] of the names, by class probabilities of x [n, dx]."""
        return softmax(x @ self.classifier.T / self.temperature) @ self.names

    def embed_x(self, x: Array) -> Array:
        """Return unit rows [n, dy] of features [n, dx]."""
        return unit_rows(self.pseudo_y(x) - self.mean_x[None, :])

    def embed_y(self, y: Array) -> Array:
        """Return unit rows [m, dy] of features [m, dy]."""
        return unit_rows(y - self.mean_y[None, :])


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


def of_names_alone(
    features: Features, classifier: jax.Array, names: jax.Array
) -> tuple[Embeds, float]:
    """Fit `transported_cca` to names of classes and unmatched items, without the pairs.

    Args:
      features: standardised; the pairs are ignored.
      classifier, names: see `named_classes`.

    Returns:
      The maps, and their score: the mean cosine of x and y under the plan between them, after the
      last round. A high score shows that two sets fit each other, not that the match is right:
      docs/results/diagnose.md measures it.
    """
    x, y = features.unmatched_x, features.unmatched_y
    mean_x, mean_y = jnp.mean(x, axis=1), jnp.mean(y, axis=1)
    start = named_classes(mean_x, mean_y, classifier, names)
    # A pair at the origin, with weight 0.
    unpaired = Features(jnp.zeros_like(x[:1]), jnp.zeros_like(y[:1]), x, y)
    settings = {"mix": 1.0, "shrinkage": _SHRINKAGE, "within": 0.5, "rounds": _ROUNDS}
    maps = transported_cca(unpaired, start, **settings)
    return maps, float(_planned_cosine(maps.embed_x(mean_x), maps.embed_y(mean_y)))


@jax.jit
def _planned_cosine(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.trace(transported_covariance(x, y, x, y, epsilon=0.02, iterations=10))

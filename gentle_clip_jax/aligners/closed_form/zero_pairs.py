"""Alignment of two sets without pairs: an initial map by names of classes, then transport."""

from typing import NamedTuple

from gentle_clip_jax.aligners.closed_form.arrays import (
    Array,
    centred,
    compiled_for_jax,
    similarity,
    softmax,
    top_k,
    unit_rows,
)
from gentle_clip_jax.aligners.closed_form.plan import transported_covariance
from gentle_clip_jax.aligners.closed_form.transported import transported_cca
from gentle_clip_jax.aligners.problem import Features
from gentle_clip_jax.evaluation.cross_validation import Embeds

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
    x: Array,
    y: Array,
    classifier: Array,
    names: Array,
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
    mean_y, texts = centred(y)
    names = _blended_with_texts(centred(names)[1], texts)
    plain = Named(classifier, names, 0 * mean_y, mean_y, temperature)
    return plain._replace(mean_x=plain.pseudo_y(x).mean(axis=0))


@compiled_for_jax()
def _blended_with_texts(names: Array, texts: Array) -> Array:
    """Average the names [c, d] with the means of their nearest texts [m, d]; all are centred."""
    xp, cosines = names.__array_namespace__(), similarity(unit_rows(names), unit_rows(texts))
    cosines, nearest = top_k(cosines, min(_TEXTS, len(texts)))
    means = xp.einsum("ck,ckd->cd", softmax(cosines / _SHARP), texts[nearest])
    length, tiny = xp.linalg.norm(names), xp.finfo(names.dtype).tiny  # names may be all the same
    return (means + names * xp.linalg.norm(means) / xp.maximum(length, tiny)) / 2


def of_names_alone(features: Features, classifier: Array, names: Array) -> tuple[Embeds, float]:
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
    mean_x, mean_y = x.mean(axis=1), y.mean(axis=1)
    start = named_classes(mean_x, mean_y, classifier, names)
    # A pair at the origin, with weight 0.
    unpaired = Features(0 * x[:1], 0 * y[:1], x, y)
    settings = {"mix": 1.0, "shrinkage": _SHRINKAGE, "within": 0.5, "rounds": _ROUNDS}
    maps = transported_cca(unpaired, start, **settings)
    return maps, float(_planned_cosine(maps.embed_x(mean_x), maps.embed_y(mean_y)))


@compiled_for_jax()
def _planned_cosine(x: Array, y: Array) -> Array:
    return x.__array_namespace__().trace(
        transported_covariance(x, y, x, y, epsilon=0.02, iterations=10)
    )

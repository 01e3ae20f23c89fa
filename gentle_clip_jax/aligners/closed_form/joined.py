"""Gentle transport with relative representations beside it, joined as one space."""

from gentle_clip_jax.aligners.closed_form.arrays import Array, concatenated, similarity
from gentle_clip_jax.aligners.closed_form.maps import Joined
from gentle_clip_jax.aligners.closed_form.relative import relative
from gentle_clip_jax.aligners.problem import PLAN_ITEMS, Features
from gentle_clip_jax.evaluation.cross_validation import Embeds


def with_relative(features: Features, maps: Embeds) -> Joined:
    """Join maps with relative representations, of pairs and of mutual nearest neighbours.

    Linear maps place an item by its kind, relative representations by the paired items that it
    nearly equals: for proteins with relatives among the pairs, each finds partners that the other
    misses.
    Unmatched items that are each other's nearest, by the maps and the pairs together, are anchors
    too.

    Args:
      features: in random order, as the maps take them: standardised, smoothed.
      maps: fitted to them.

    Source: ours; docs/results/protein_names.md has its gain. Moschella et al.,
    arXiv 2209.15430, section 4, also add anchors, one after another, by their nearest neighbours.
    """
    x, y = features.x.mean(axis=1), features.y.mean(axis=1)
    unmatched = features.unmatched_x, features.unmatched_y
    unmatched_x, unmatched_y = (items[:PLAN_ITEMS].mean(axis=1) for items in unmatched)
    anchors = relative(x, y)
    if len(unmatched_x) and len(unmatched_y):
        both = Joined((maps, anchors))
        mutual_pairs = mutual(both.embed_x(unmatched_x), both.embed_y(unmatched_y))
        anchors = relative(
            concatenated([x, unmatched_x[mutual_pairs[:, 0]]]),
            concatenated([y, unmatched_y[mutual_pairs[:, 1]]]),
        )
    return Joined((maps, anchors))


def mutual(x: Array, y: Array) -> Array:
    """Return pairs [k, 2] of rows of x [n, d] and y [m, d] with the greatest product both ways.

    >>> import numpy as np
    >>> mutual(np.eye(3), np.eye(3)[[2, 0]]).tolist()
    [[0, 1], [2, 0]]
    """
    products, xp = similarity(x, y), x.__array_namespace__()
    nearest_y, nearest_x = xp.argmax(products, axis=1), xp.argmax(products, axis=0)
    rows = xp.flatnonzero(nearest_x[nearest_y] == xp.arange(len(x)))
    return xp.stack([rows, nearest_y[rows]], axis=1)

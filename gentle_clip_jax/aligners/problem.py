"""What an aligner gets: the features of a few matched items and of many unmatched ones."""

from typing import NamedTuple

import jax


class Problem(NamedTuple):
    """Frozen features of two modalities; an item may have several rows, such as five captions.

    x: [n, j, dx] features of the matched items; j rows an item, repeated where an item has fewer.
    y: [n, k, dy] features of their pairs.
    unmatched_x: [u, j, dx] features of items without a pair.
    unmatched_y: [v, k, dy] likewise; u and v may be 0.
    """

    x: jax.Array
    y: jax.Array
    unmatched_x: jax.Array
    unmatched_y: jax.Array

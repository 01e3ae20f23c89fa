"""Contrastive losses: matched pairs (CLIP, SigLIP) and two views of one item (NT-Xent)."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, kernels, pairwise
from gentle_clip_jax.losses.tiles import Features, reduce_pairs


def clip_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    temperature: jax.Array | float,
    unmatched_x: jax.Array | None = None,
    unmatched_y: jax.Array | None = None,
    where: jax.Array | None = None,
    where_unmatched_x: jax.Array | None = None,
    where_unmatched_y: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the symmetric InfoNCE of matched pairs: the mean of both directions' cross-entropies.

    -1/2n sum_i [log softmax_j(x_i . y_j / tau)_i + log softmax_j(y_i . x_j / tau)_i], where j runs
    over the matched rows and, where given, over the unmatched rows of the other modality.

    Args:
      x: [n, d] embeddings of unit length.
      y: [n, d] embeddings of unit length; y[i] is the pair of x[i].
      temperature: tau > 0; may be learned.
      unmatched_x: [k, d] further candidates for y.
      unmatched_y: [l, d] further candidates for x.
      where: [n] bool, the valid pairs; 0 is returned if there are none.
      where_unmatched_x: [k] bool.
      where_unmatched_y: [l] bool.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: Radford et al. 2021, arXiv 2103.00020, figure 3; arXiv 2406.05766, section 3.

    >>> x = jnp.eye(2)
    >>> round(float(clip_loss(x, x, temperature=1.0)), 4)
    0.3133
    """
    _check_pairs(x, y, where, unmatched_x, unmatched_y, where_unmatched_x, where_unmatched_y)
    arguments.positive(temperature=temperature)
    arguments.block(block_size)
    x, where = pairwise.rows(x, where)
    y, _ = pairwise.rows(y, where)
    scale = 1 / jnp.asarray(temperature, x.dtype)
    x = scale * x
    own = {"where": where}
    pairs = reduce_pairs(kernels.Contrast(), x, own, y, own, block_size=block_size)
    x_to_y, y_to_x = pairs.rows[0][0], pairs.columns[0][0]
    if unmatched_y is not None and len(unmatched_y):
        unmatched_y, where_y = pairwise.rows(unmatched_y, where_unmatched_y)
        rows = kernels.Contrast(columns=False)
        more = reduce_pairs(rows, x, own, unmatched_y, {"where": where_y}, block_size=block_size)
        x_to_y = jnp.logaddexp(x_to_y, more.rows[0][0])
    if unmatched_x is not None and len(unmatched_x):
        unmatched_x, where_x = pairwise.rows(unmatched_x, where_unmatched_x)
        rows = kernels.Contrast(columns=False)
        unmatched_x = scale * unmatched_x
        more = reduce_pairs(rows, y, own, unmatched_x, {"where": where_x}, block_size=block_size)
        y_to_x = jnp.logaddexp(y_to_x, more.rows[0][0])
    return pairwise.mean((x_to_y + y_to_x) / 2 - jnp.sum(x * y, axis=1), where)


def sigmoid_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    temperature: jax.Array | float,
    bias: jax.Array | float,
    unmatched_x: jax.Array | None = None,
    unmatched_y: jax.Array | None = None,
    where: jax.Array | None = None,
    where_unmatched_x: jax.Array | None = None,
    where_unmatched_y: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return SigLIP: every pair is a binary decision, matched or not.

    -1/n sum_ij log sigmoid(z_ij (x_i . y_j / tau + b)), z_ij = 1 if i = j, else -1; unmatched rows
    are negatives of the matched rows of the other modality.

    Args:
      x: [n, d] embeddings of unit length.
      y: [n, d] embeddings of unit length; y[i] is the pair of x[i].
      temperature: tau > 0; may be learned.
      bias: b, added to every logit; may be learned.
      unmatched_x: [k, d] further negatives for y.
      unmatched_y: [l, d] further negatives for x.
      where: [n] bool, the valid pairs; 0 is returned if there are none.
      where_unmatched_x: [k] bool.
      where_unmatched_y: [l] bool.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: Zhai et al. 2023, arXiv 2303.15343, equation 1.

    >>> x = jnp.eye(2)
    >>> round(float(sigmoid_loss(x, x, temperature=1.0, bias=0.0)), 4)
    1.0064
    """
    _check_pairs(x, y, where, unmatched_x, unmatched_y, where_unmatched_x, where_unmatched_y)
    arguments.positive(temperature=temperature)
    arguments.finite(bias=bias)
    arguments.block(block_size)
    x, where = pairwise.rows(x, where)
    y, _ = pairwise.rows(y, where)
    scale, bias = 1 / jnp.asarray(temperature, x.dtype), jnp.asarray(bias, x.dtype)
    matched = scale * jnp.sum(x * y, axis=1) + bias

    def unmatched(x: jax.Array, left: Features, y: jax.Array, right: Features) -> jax.Array:
        left = left | {"bias": jnp.full_like(x[:, 0], bias)}
        pairs = reduce_pairs(kernels.Decision(), scale * x, left, y, right, block_size=block_size)
        return pairs.totals[0]

    own = {"where": where, "item": pairwise.numbers(x.shape[0])}
    negatives = unmatched(x, own, y, own)
    if unmatched_x is not None and len(unmatched_x):
        unmatched_x, where_x = pairwise.rows(unmatched_x, where_unmatched_x)
        negatives += unmatched(y, {"where": where}, unmatched_x, {"where": where_x})
    if unmatched_y is not None and len(unmatched_y):
        unmatched_y, where_y = pairwise.rows(unmatched_y, where_unmatched_y)
        negatives += unmatched(x, {"where": where}, unmatched_y, {"where": where_y})
    per_pair = negatives / jnp.maximum(pairwise.count(where, x.dtype), 1)
    return pairwise.mean(jax.nn.softplus(-matched), where) + per_pair


def nt_xent_loss(
    x: jax.Array,
    x_view: jax.Array,
    *,
    temperature: jax.Array | float,
    where: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return NT-Xent of two views: each of 2n rows must find its other view among 2n - 1 rows.

    -1/2n sum_i log softmax_{j != i}(z_i . z_j / tau)_{v(i)}, z = [x; x_view], v = the other view.

    Args:
      x: [n, d] embeddings of unit length.
      x_view: [n, d] embeddings of a second view of the same items.
      temperature: tau > 0; may be learned.
      where: [n] bool, the valid items; 0 is returned if there are none.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Source: Chen et al. 2020, arXiv 2002.05709, equation 1.

    >>> x = jnp.eye(2)
    >>> round(float(nt_xent_loss(x, x, temperature=1.0)), 4)
    0.5514
    """
    arguments.alike(x=x, x_view=x_view)
    arguments.not_empty(x=x)
    arguments.masks(x.shape[:1], where=where)
    arguments.positive(temperature=temperature)
    arguments.block(block_size)
    x, where = pairwise.rows(x, where)
    x_view, _ = pairwise.rows(x_view, where)
    # Half of the logits' scale on either side keeps the pairs symmetric.
    scale = jax.lax.rsqrt(jnp.asarray(temperature, x.dtype))
    x, x_view = scale * x, scale * x_view
    rows = {"where": where, "item": pairwise.numbers(x.shape[0])}
    within = reduce_pairs(kernels.Contrast(), x, rows, block_size=block_size)
    return nt_xent_of_within(within.rows[0][0], x, x_view, where, block_size)


def _check_pairs(
    x: jax.Array,
    y: jax.Array,
    where: jax.Array | None,
    unmatched_x: jax.Array | None,
    unmatched_y: jax.Array | None,
    where_unmatched_x: jax.Array | None,
    where_unmatched_y: jax.Array | None,
) -> None:
    arguments.alike(x=x, y=y)
    arguments.not_empty(x=x)
    arguments.rows(x=x, unmatched_x=unmatched_x, unmatched_y=unmatched_y)
    arguments.masks(x.shape[:1], where=where)
    if unmatched_x is not None:
        arguments.masks(unmatched_x.shape[:1], where_unmatched_x=where_unmatched_x)
    if unmatched_y is not None:
        arguments.masks(unmatched_y.shape[:1], where_unmatched_y=where_unmatched_y)


def nt_xent_of_within(
    within: jax.Array, x: jax.Array, x_view: jax.Array, where: jax.Array, block_size: int | None
) -> jax.Array:
    """Return NT-Xent of logits x_i . x_view_j, from their log-sum-exp [n] among the others of x."""
    rows = {"where": where}
    numbered = rows | {"item": pairwise.numbers(x.shape[0])}
    between = reduce_pairs(kernels.Contrast(), x, rows, x_view, rows, block_size=block_size)
    views = reduce_pairs(kernels.Contrast(), x_view, numbered, block_size=block_size)
    of_x = jnp.logaddexp(within, between.rows[0][0])
    of_view = jnp.logaddexp(views.rows[0][0], between.columns[0][0])
    return pairwise.mean((of_x + of_view) / 2 - jnp.sum(x * x_view, axis=1), where)

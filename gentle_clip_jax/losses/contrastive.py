"""Contrastive losses: matched pairs (CLIP, SigLIP) and two views of one item (NT-Xent)."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise


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
) -> jax.Array:
    """Symmetric InfoNCE of matched pairs: the mean of the x-to-y and the y-to-x cross-entropy.

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

    Source: Radford et al. 2021, arXiv 2103.00020, figure 3; arXiv 2406.05766, section 3.

    >>> x = jnp.eye(2)
    >>> round(float(clip_loss(x, x, temperature=1.0)), 4)
    0.3133
    """
    x, where = pairwise.rows(x, where)
    y, _ = pairwise.rows(y, where)
    scale = 1 / jnp.asarray(temperature, x.dtype)
    all_x, where_all_x = _append(x, where, unmatched_x, where_unmatched_x)
    all_y, where_all_y = _append(y, where, unmatched_y, where_unmatched_y)
    x_to_y = pairwise.log_sum_exp(scale * pairwise.similarity(x, all_y), where_all_y[None, :])
    y_to_x = pairwise.log_sum_exp(scale * pairwise.similarity(y, all_x), where_all_x[None, :])
    matched = scale * jnp.sum(x * y, axis=1)
    return pairwise.mean((x_to_y + y_to_x) / 2 - matched, where)


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
) -> jax.Array:
    """SigLIP: every pair is a binary decision, matched or not.

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

    Source: Zhai et al. 2023, arXiv 2303.15343, equation 1.

    >>> x = jnp.eye(2)
    >>> round(float(sigmoid_loss(x, x, temperature=1.0, bias=0.0)), 4)
    1.0064
    """
    x, where = pairwise.rows(x, where)
    y, _ = pairwise.rows(y, where)
    scale, bias = 1 / jnp.asarray(temperature, x.dtype), jnp.asarray(bias, x.dtype)
    matched = jax.nn.softplus(-scale * jnp.sum(x * y, axis=1) - bias)

    def unmatched(x: jax.Array, y: jax.Array, where: jax.Array) -> jax.Array:
        logits = scale * pairwise.similarity(x, y) + bias
        return jnp.sum(jnp.where(where, jax.nn.softplus(logits), 0), axis=1)

    per_pair = matched + unmatched(x, y, where[None, :] & ~jnp.eye(x.shape[0], dtype=bool))
    if unmatched_x is not None:
        negatives, where_negatives = pairwise.rows(unmatched_x, where_unmatched_x)
        per_pair += unmatched(y, negatives, where_negatives[None, :])
    if unmatched_y is not None:
        negatives, where_negatives = pairwise.rows(unmatched_y, where_unmatched_y)
        per_pair += unmatched(x, negatives, where_negatives[None, :])
    return pairwise.mean(per_pair, where)


def nt_xent_loss(
    x: jax.Array,
    x_view: jax.Array,
    *,
    temperature: jax.Array | float,
    where: jax.Array | None = None,
) -> jax.Array:
    """NT-Xent of two views: each of the 2n rows must find its other view among the 2n - 1 others.

    -1/2n sum_i log softmax_{j != i}(z_i . z_j / tau)_{v(i)}, z = [x; x_view], v = the other view.

    Args:
      x: [n, d] embeddings of unit length.
      x_view: [n, d] embeddings of a second view of the same items.
      temperature: tau > 0; may be learned.
      where: [n] bool, the valid items; 0 is returned if there are none.

    Source: Chen et al. 2020, arXiv 2002.05709, equation 1.

    >>> x = jnp.eye(2)
    >>> round(float(nt_xent_loss(x, x, temperature=1.0)), 4)
    0.5514
    """
    x, where = pairwise.rows(x, where)
    x_view, _ = pairwise.rows(x_view, where)
    scale = 1 / jnp.asarray(temperature, x.dtype)
    z, where_z = jnp.concatenate([x, x_view]), jnp.concatenate([where, where])
    others = where_z[None, :] & ~jnp.eye(z.shape[0], dtype=bool)
    among_others = pairwise.log_sum_exp(scale * pairwise.similarity(z, z), others)
    other_view = scale * jnp.sum(x * x_view, axis=1)
    return pairwise.mean(among_others - jnp.concatenate([other_view, other_view]), where_z)


def _append(
    x: jax.Array, where: jax.Array, unmatched: jax.Array | None, where_unmatched: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    if unmatched is None:
        return x, where
    unmatched, where_unmatched = pairwise.rows(unmatched, where_unmatched)
    return jnp.concatenate([x, unmatched]), jnp.concatenate([where, where_unmatched])

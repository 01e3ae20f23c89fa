"""The paper's objective: four terms on a batch of a few matched and many unmatched rows."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import pairwise
from gentle_clip_jax.losses.contrastive import clip_loss, nt_xent_loss
from gentle_clip_jax.losses.density import semantic_density_loss
from gentle_clip_jax.losses.mmd import bandwidth_ladder, multi_kernel_mmd


def gentle_clip_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    num_matched: int,
    temperature: jax.Array | float,
    x_view: jax.Array | None = None,
    y_view: jax.Array | None = None,
    clip_weight: float = 1.0,
    mmd_weight: float = 1.0,
    sdd_weight: float = 1.0,
    ssl_weight: float = 0.15,
    ssl_temperature: float = 0.05,
    sdd_bandwidth: float = 0.5,
    mmd_num_bandwidths: int = 5,
    unmatched_candidates: bool = False,
    where_x: jax.Array | None = None,
    where_y: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Gentle-CLIP: align matched rows one by one and all rows as distributions.

    w_clip CLIP(matched) + w_mmd MMD(X, Y) + w_sdd SDD(X, Y) + w_ssl (SSL(X, X') + SSL(Y, Y'))

    Args:
      x: [n, d] embeddings of unit length.
      y: [m, d] embeddings of unit length.
      num_matched: x[i] and y[i] are a pair for i < num_matched; the other rows are unmatched.
      temperature: tau of CLIP, > 0; may be learned.
      x_view: [n, d] embeddings of a second view of x, for SSL(X, X').
      y_view: [m, d] embeddings of a second view of y, for SSL(Y, Y').
      clip_weight, mmd_weight, sdd_weight, ssl_weight: w; a term of weight 0 is not computed.
      ssl_temperature: tau of SSL.
      sdd_bandwidth: h of SDD.
      mmd_num_bandwidths: rungs of the MMD's ladder.
      unmatched_candidates: whether unmatched rows are candidates of CLIP, as in the paper's demo.
      where_x: [n] bool, the valid rows; a pair is valid if both its rows are.
      where_y: [m] bool.

    Returns:
      total, and the unweighted terms that were computed: "clip", "mmd", "sdd", "ssl".

    Source: arXiv 2406.05766, section 3.

    >>> x, y = jnp.eye(4), jnp.eye(4)[::-1]
    >>> total, terms = gentle_clip_loss(x, y, num_matched=2, temperature=0.1, mmd_weight=0.0)
    >>> sorted(terms)
    ['clip', 'sdd']
    """
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    zero, terms = jnp.zeros((), x.dtype), {}
    if clip_weight:
        unmatched = {
            "unmatched_x": x[num_matched:],
            "unmatched_y": y[num_matched:],
            "where_unmatched_x": where_x[num_matched:],
            "where_unmatched_y": where_y[num_matched:],
        }
        terms["clip"] = clip_loss(
            x[:num_matched],
            y[:num_matched],
            temperature=temperature,
            where=where_x[:num_matched] & where_y[:num_matched],
            **(unmatched if unmatched_candidates else {}),
        )
    if mmd_weight:
        ladder = bandwidth_ladder(x, y, num=mmd_num_bandwidths, where_x=where_x, where_y=where_y)
        terms["mmd"] = multi_kernel_mmd(
            x, y, squared_bandwidths=ladder, where_x=where_x, where_y=where_y
        )
    if sdd_weight:
        terms["sdd"] = semantic_density_loss(
            x, y, bandwidth=sdd_bandwidth, where_x=where_x, where_y=where_y
        )
    for z, view, where in ((x, x_view, where_x), (y, y_view, where_y)):
        if ssl_weight and view is not None:
            one = nt_xent_loss(z, view, temperature=ssl_temperature, where=where)
            terms["ssl"] = terms.get("ssl", zero) + one
    weights = {"clip": clip_weight, "mmd": mmd_weight, "sdd": sdd_weight, "ssl": ssl_weight}
    return sum((weights[name] * term for name, term in terms.items()), start=zero), terms

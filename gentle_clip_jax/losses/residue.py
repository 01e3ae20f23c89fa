"""A contrastive loss of residues: each residue of a structure against those of its sequence."""

import jax

from gentle_clip_jax.losses import arguments
from gentle_clip_jax.losses.contrastive import clip_loss


def residue_loss(
    x: jax.Array,
    y: jax.Array,
    *,
    temperature: jax.Array | float,
    where: jax.Array | None = None,
    block_size: int | None = None,
) -> jax.Array:
    """Return the symmetric InfoNCE of all residues of all matched pairs: `clip_loss` of n l rows.

    Residue k of x[i] is the pair of residue k of y[i]; the others of the same item are candidates
    as those of other items are. At the optimum x_ik . y_ik / tau is, up to a constant, the log of
    how much likelier the two meet in a pair than at random (van den Oord et al. 2018, arXiv
    1807.03748, section 2.3); its sum over k compares whole items.

    Args:
      x: [n, l, d] embeddings of the residues; their lengths are free.
      y: [n, l, d] likewise of the pairs.
      temperature: tau > 0; may be learned.
      where: [n, l] bool, residues known in both modalities; 0 is returned if there are none.
      block_size: rows of a tile: None to choose, 0 for one tile.

    Raises:
      ValueError: the shapes of x and y differ, or have no three axes.

    >>> import jax.numpy as jnp
    >>> x = jnp.eye(4).reshape(2, 2, 4)
    >>> round(float(residue_loss(x, x, temperature=1.0)), 4)
    0.7437
    """
    if x.ndim != 3 or x.shape != y.shape:
        raise ValueError(f"x and y must be [n, l, d], both the same: {x.shape} and {y.shape}.")
    arguments.masks(x.shape[:2], where=where)
    rows = x.shape[0] * x.shape[1]
    return clip_loss(
        x.reshape(rows, -1),
        y.reshape(rows, -1),
        temperature=temperature,
        where=None if where is None else where.reshape(rows),
        block_size=block_size,
    )

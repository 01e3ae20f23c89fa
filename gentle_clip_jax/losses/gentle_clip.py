"""The paper's objective: four terms on a batch of a few matched and many unmatched rows."""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, pairwise
from gentle_clip_jax.losses.contrastive import clip_loss, nt_xent_loss, nt_xent_of_within
from gentle_clip_jax.losses.density import density_scale, sdd_of_passes
from gentle_clip_jax.losses.distance import compare
from gentle_clip_jax.losses.mmd import bandwidth_ladder, ladder_rates, mmd_of_totals

Modality = tuple[jax.Array, jax.Array | None, jax.Array]  # rows, their other view, mask


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
    block_size: int | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Return Gentle-CLIP: align matched rows one by one and all rows as distributions.

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
      block_size: rows of a tile: None to choose, 0 for one tile.

    Returns:
      total, and the unweighted terms that were computed: "clip", "mmd", "sdd", "ssl".

    Source: arXiv 2406.05766, section 3.

    >>> x, y = jnp.eye(4), jnp.eye(4)[::-1]
    >>> total, terms = gentle_clip_loss(x, y, num_matched=2, temperature=0.1, mmd_weight=0.0)
    >>> sorted(terms)
    ['clip', 'sdd']
    """
    arguments.two_sets(x, y, where_x, where_y)
    arguments.alike(x=x, x_view=x_view)
    arguments.alike(y=y, y_view=y_view)
    arguments.whole(0, min(len(x), len(y)), num_matched=num_matched)
    arguments.whole(1, mmd_num_bandwidths=mmd_num_bandwidths)
    arguments.positive(temperature=temperature, ssl_temperature=ssl_temperature)
    arguments.positive(sdd_bandwidth=sdd_bandwidth)
    arguments.known(clip_weight=clip_weight, mmd_weight=mmd_weight, sdd_weight=sdd_weight)
    arguments.known(ssl_weight=ssl_weight)
    arguments.block(block_size)
    x, where_x = pairwise.rows(x, where_x)
    y, where_y = pairwise.rows(y, where_y)
    sides = [
        (z, pairwise.rows(view, where)[0], where)
        if ssl_weight and view is not None
        else (z, None, where)
        for z, view, where in ((x, x_view, where_x), (y, y_view, where_y))
    ]
    if mmd_weight or sdd_weight:
        terms = _all_terms(
            *sides,
            num_matched=num_matched,
            temperature=temperature if clip_weight else None,
            ssl_temperature=ssl_temperature,
            bandwidth=sdd_bandwidth if sdd_weight else None,
            rungs=mmd_num_bandwidths if mmd_weight else 0,
            unmatched_candidates=unmatched_candidates,
            block_size=block_size,
        )
    else:
        terms = _contrastive_terms(
            *sides,
            num_matched=num_matched,
            temperature=temperature if clip_weight else None,
            ssl_temperature=ssl_temperature,
            unmatched_candidates=unmatched_candidates,
            block_size=block_size,
        )
    weights = {"clip": clip_weight, "mmd": mmd_weight, "sdd": sdd_weight, "ssl": ssl_weight}
    zero = jnp.zeros((), x.dtype)
    return sum((weights[name] * term for name, term in terms.items()), start=zero), terms


def _contrastive_terms(
    side_x: Modality,
    side_y: Modality,
    *,
    num_matched: int,
    temperature: jax.Array | float | None,
    ssl_temperature: float,
    unmatched_candidates: bool,
    block_size: int | None,
) -> dict[str, jax.Array]:
    """Return CLIP, unless its temperature is None, and SSL, which need no other rows."""
    (x, _, where_x), (y, _, where_y), terms = side_x, side_y, {}
    if temperature is not None and not num_matched:
        terms["clip"] = jnp.zeros((), x.dtype)
    elif temperature is not None:
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
            block_size=block_size,
            **(unmatched if unmatched_candidates else {}),
        )
    ssl = [
        nt_xent_loss(z, view, temperature=ssl_temperature, where=where, block_size=block_size)
        for z, view, where in (side_x, side_y)
        if view is not None
    ]
    return terms | ({"ssl": sum(ssl[1:], start=ssl[0])} if ssl else {})


def _all_terms(
    side_x: Modality,
    side_y: Modality,
    *,
    num_matched: int,
    temperature: jax.Array | float | None,
    ssl_temperature: float,
    bandwidth: float | None,
    rungs: int,
    unmatched_candidates: bool,
    block_size: int | None,
) -> dict[str, jax.Array]:
    """Return all terms from one pass over the pairs.

    CLIP and SDD are left out where their setting is None, MMD where it is 0.
    """
    (x, view_x, where_x), (y, view_y, where_y), terms = side_x, side_y, {}
    sets, matched = (x, y, where_x, where_y), slice(num_matched)
    pairs = where_x[matched] & where_y[matched]
    candidates = [
        jnp.concatenate([pairs, where[num_matched:] & unmatched_candidates])
        for where in (where_x, where_y)
    ]
    ladder = bandwidth_ladder(x, y, num=rungs, where_x=where_x, where_y=where_y) if rungs else None
    rates, squarings = (None, 0) if ladder is None else ladder_rates(ladder)
    inverse_scale, spread = (None, None) if bandwidth is None else density_scale(*sets, bandwidth)
    passes = compare(
        *sets,
        rates=rates,
        squarings=squarings,
        inverse_scale=inverse_scale,
        logits=(
            None if view_x is None else (ssl_temperature, where_x, where_x),
            None if view_y is None else (ssl_temperature, where_y, where_y),
            None if temperature is None else (temperature, *candidates),
        ),
        block_size=block_size,
    )
    if temperature is not None:
        logs = (passes[2].rows[-1][0][matched] + passes[2].columns[-1][0][matched]) / 2
        similarity = jnp.sum(x[matched] * y[matched], axis=1)
        terms["clip"] = pairwise.mean(logs - similarity / temperature, pairs)
    if rungs:
        within_x, within_y, between = (one.totals[0] / rungs for one in passes)
        terms["mmd"] = mmd_of_totals(within_x, within_y, between, where_x, where_y)
    if spread is not None:
        terms["sdd"] = spread * sdd_of_passes(*passes, where_x, where_y)
    root = ssl_temperature**-0.5
    ssl = [
        nt_xent_of_within(one.rows[-1][0], root * z, root * view, where, block_size)
        for one, (z, view, where) in zip(passes, (side_x, side_y))
        if view is not None
    ]
    return terms | ({"ssl": sum(ssl[1:], start=ssl[0])} if ssl else {})

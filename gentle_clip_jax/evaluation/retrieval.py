"""Retrieval between two modalities: recall at k and median rank, both ways."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from gentle_clip_jax.evaluation.intervals import Interval, Statistic, bootstrap_intervals
from gentle_clip_jax.losses import pairwise

# Cosines of unit rows in float32 are rounded by 1e-7: closer ones tie.
_TIE = 1e-6
_SCORES_PER_BLOCK = 2**24  # 64 MiB of float32


def ranks(
    queries: ArrayLike,
    gallery: ArrayLike,
    *,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
) -> np.ndarray:
    """Return the rank of the first hit among the gallery, nearest first, for each query.

    rank_i = 1 + #{j not a hit : cos(q_i, g_j) >= max over hits h of cos(q_i, g_h)}

    Args:
      queries: embeddings [n, d], scaled to unit length here.
      gallery: embeddings [m, d], likewise.
      query_ids: [n], strings or integers; a candidate is a hit if its id equals the query's.
      gallery_ids: [m], of the same kind.

    Returns:
      Integers [n] from 1 to m. A tie counts against the query, so that a model that maps
      everything to one point ranks last, not first. Memory is linear in n and in m.

    Raises:
      ValueError: an embedding is not finite, shapes disagree, or a query has no hit at all.

    >>> ranks(np.eye(2), np.eye(2)[[1, 0, 0]], query_ids=["a", "b"], gallery_ids=["b", "a", "c"])
    array([2, 1])
    """
    queries, gallery = np.asarray(queries, np.float32), np.asarray(gallery, np.float32)
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    _check(queries, gallery, query_ids, gallery_ids)
    ids = np.unique(np.concatenate([query_ids, gallery_ids]), return_inverse=True)[1].astype("i4")
    block_size = max(1, _SCORES_PER_BLOCK // len(gallery))
    first_hits = _ranks(
        queries, gallery, ids[: len(queries)], ids[len(queries) :], _TIE, block_size
    )
    return np.asarray(first_hits).astype(int)


def retrieval_metrics(
    image: ArrayLike,
    text: ArrayLike,
    *,
    image_ids: ArrayLike,
    text_ids: ArrayLike,
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Return recall at each k (a fraction) and median rank, both ways, and the mean recall.

    R@k = share of the queries with a hit among their k nearest; mean_recall = mean of all the R@k.
    Arguments and errors are those of `ranks`; image [n, d] and text [m, d] may differ in number.

    >>> unit = np.eye(20)
    >>> retrieval_metrics(unit, unit, image_ids=range(20), text_ids=range(20))["mean_recall"]
    1.0
    """
    statistic, num_items = _statistic(image, text, image_ids, text_ids, ks)
    return {name: float(value) for name, value in statistic(np.ones(num_items, int)).items()}


def retrieval_intervals(
    image: ArrayLike,
    text: ArrayLike,
    *,
    image_ids: ArrayLike,
    text_ids: ArrayLike,
    ks: Sequence[int] = (1, 5, 10),
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the metrics of `retrieval_metrics` with bootstrap 95 % intervals.

    The queries are resampled by id, both directions together, and the galleries stay as they are.
    Rows of one id are resampled together: apart they would make the intervals too narrow.
    """
    statistic, num_items = _statistic(image, text, image_ids, text_ids, ks)
    return bootstrap_intervals(statistic, num_items, num_resamples=num_resamples, seed=seed)


def _check(
    queries: np.ndarray, gallery: np.ndarray, query_ids: np.ndarray, gallery_ids: np.ndarray
) -> None:
    for what, rows, ids in (("queries", queries, query_ids), ("gallery", gallery, gallery_ids)):
        if rows.ndim != 2 or len(rows) == 0 or ids.shape != (len(rows),):
            raise ValueError(
                f"The {what} must be [n, d] with n >= 1 and one id a row; "
                f"their shape is {rows.shape}, their ids' {ids.shape}."
            )
        if not np.isfinite(rows).all():
            raise ValueError(f"The {what} hold embeddings that are not finite; nothing to rank.")
    orphans = query_ids[~np.isin(query_ids, gallery_ids)]
    if orphans.size:
        raise ValueError(
            f"{orphans.size} queries have no row of their id in the gallery, {orphans[0]!r} first; "
            "leave them out."
        )


@functools.partial(jax.jit, static_argnames="block_size")
def _ranks(
    queries: jax.Array,
    gallery: jax.Array,
    query_ids: jax.Array,
    gallery_ids: jax.Array,
    tie: float,
    block_size: int,
) -> jax.Array:
    gallery = pairwise.normalize(gallery)

    def rank(query_and_id: tuple[jax.Array, jax.Array]) -> jax.Array:
        query, query_id = query_and_id
        scores = pairwise.similarity(query[None, :], gallery)[0]
        hit = gallery_ids == query_id
        best = jnp.max(jnp.where(hit, scores, -jnp.inf))
        return 1 + jnp.sum(~hit & (scores >= best - tie))

    return jax.lax.map(rank, (pairwise.normalize(queries), query_ids), batch_size=block_size)


def _statistic(
    image: ArrayLike, text: ArrayLike, image_ids: ArrayLike, text_ids: ArrayLike, ks: Sequence[int]
) -> tuple[Statistic, int]:
    """Return metrics as a function of the resampled counts of ids, and the number of ids."""
    image_ids, text_ids = np.asarray(image_ids), np.asarray(text_ids)
    to_text = ranks(image, text, query_ids=image_ids, gallery_ids=text_ids)
    to_image = ranks(text, image, query_ids=text_ids, gallery_ids=image_ids)
    distinct = np.unique(image_ids)
    directions = (
        ("i2t", to_text, np.searchsorted(distinct, image_ids)),
        ("t2i", to_image, np.searchsorted(distinct, text_ids)),
    )

    def statistic(counts: np.ndarray) -> dict[str, np.ndarray]:
        recalls, medians = {}, {}
        for direction, rank, item in directions:
            weights = counts[..., item].astype(float)
            for k in ks:
                recalls[f"{direction}_r{k}"] = weights @ (rank <= k) / weights.sum(-1)
            medians[f"{direction}_median_rank"] = _median(rank, weights)
        return recalls | medians | {"mean_recall": np.mean([*recalls.values()], axis=0)}

    return statistic, len(distinct)


def _median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the median [...] of values [n], in which value i occurs weights[..., i] times."""
    order = np.argsort(values)
    below = np.cumsum(weights[..., order], axis=-1)
    half = below[..., -1:] / 2
    middle = np.argmax(below >= half, axis=-1), np.argmax(below > half, axis=-1)
    return (values[order][middle[0]] + values[order][middle[1]]) / 2

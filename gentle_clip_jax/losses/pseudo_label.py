"""Pseudo-labels: an unmatched item borrows the partners of similar matched items.

The query may be of either modality: the support are the matched items of its own modality, the
partners their pairs in the other. Call once for each modality and weight the two losses.
"""

import jax
import jax.numpy as jnp

from gentle_clip_jax.losses import arguments, pairwise
from gentle_clip_jax.losses.tiles import empty
from gentle_clip_jax.losses.transport import transport_plan


def hard_labels(
    query: jax.Array, support: jax.Array, *, where: jax.Array | None = None
) -> jax.Array:
    """Return labels [q, n], one-hot: the item of the support that is most similar to each query.

    Args:
      query: [q, d] embeddings of unit length.
      support: [n, d] embeddings of unit length.
      where: [n] bool, the valid rows of the support; labels are all 0 if there are none.

    Source: Hard-PL of Mo et al. 2023, arXiv 2305.14095.

    >>> hard_labels(jnp.array([[0.6, 0.8]]), jnp.eye(2)).tolist()
    [[0.0, 1.0]]
    """
    scores, where = _scores(query, support, where)
    nearest = jax.nn.one_hot(jnp.argmax(scores, axis=1), scores.shape[1], dtype=scores.dtype)
    # NaN has no nearest neighbour.
    nearest = jnp.where(jnp.isnan(jnp.max(scores, axis=1, keepdims=True)), jnp.nan, nearest)
    return jnp.where(where[None, :], jax.lax.stop_gradient(nearest), 0)


def soft_labels(
    query: jax.Array,
    support: jax.Array,
    *,
    temperature: jax.Array | float,
    where: jax.Array | None = None,
) -> jax.Array:
    """Return labels [q, n]: softmax_i(q . s_i / tau) over the support, a constant.

    Arguments are those of `hard_labels`; temperature: tau > 0.

    Source: Soft-PL of Mo et al. 2023, arXiv 2305.14095.

    >>> labels = soft_labels(jnp.array([[0.6, 0.8]]), jnp.eye(2), temperature=0.1)
    >>> [round(label, 3) for label in labels[0].tolist()]
    [0.119, 0.881]
    """
    arguments.positive(temperature=temperature)
    scores, where = _scores(query, support, where)
    labels = jax.nn.softmax(scores / jnp.asarray(temperature, scores.dtype), axis=1)
    return jnp.where(where[None, :], jax.lax.stop_gradient(labels), 0)


def transport_labels(
    query: jax.Array,
    support: jax.Array,
    *,
    temperature: jax.Array | float,
    iterations: int = 10,
    where_query: jax.Array | None = None,
    where: jax.Array | None = None,
) -> jax.Array:
    """Return labels [q, n]: rows of the transport plan from the queries to the support, a constant.

    q P for P = transport_plan(query, support) at epsilon = tau: unlike in `soft_labels`, all items
    of the support are used equally often.

    Arguments are those of `soft_labels`; iterations: number of Sinkhorn iterations, 10 in the
    source; where_query: [q] bool, the valid queries; labels of the others are 0.

    Source: S-CLIP, Mo et al. 2023, arXiv 2305.14095.

    >>> transport_labels(jnp.ones((2, 2)), jnp.eye(2), temperature=0.1).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    _check(where_query, where, query=query, support=support)
    arguments.positive(temperature=temperature)
    plan = transport_plan(
        query,
        support,
        epsilon=temperature,
        iterations=iterations,
        where_x=where_query,
        where_y=where,
    )
    return plan / jnp.where(_total(plan) == 0, 1, _total(plan))


def pseudo_label_loss(
    query: jax.Array,
    partners: jax.Array,
    labels: jax.Array,
    *,
    temperature: jax.Array | float,
    where_query: jax.Array | None = None,
    where: jax.Array | None = None,
) -> jax.Array:
    """Return half the soft cross-entropy of queries against the partners that their labels name.

    -1/2q sum_ij L_ij log softmax_j(q_i . p_j / tau)

    Args:
      query: [q, d] embeddings of unit length, unmatched.
      partners: [n, d] embeddings of unit length, in the other modality the pairs of the support.
      labels: [q, n] from one of the functions above.
      temperature: tau > 0; may be learned.
      where_query: [q] bool, the valid queries; 0 is returned if there are none.
      where: [n] bool, the valid partners.

    Source: the caption-level loss of Mo et al. 2023, arXiv 2305.14095.

    >>> query = jnp.eye(2)
    >>> round(float(pseudo_label_loss(query, query, jnp.eye(2), temperature=1.0)), 4)
    0.1566
    """
    _check(where_query, where, query=query, partners=partners)
    arguments.matrix((len(query), len(partners)), labels=labels)
    arguments.positive(temperature=temperature)
    query, where_query = pairwise.rows(query, where_query)
    scores, where = _scores(query, partners, where)
    surprise = -jax.nn.log_softmax(scores / jnp.asarray(temperature, scores.dtype), axis=1)
    labels = jnp.where(where_query[:, None] & where[None, :], labels.astype(scores.dtype), 0)
    # A score that is not valid is finite, so that its label of 0 leaves no trace.
    per_query = jnp.sum(jax.lax.stop_gradient(labels) * surprise, axis=1)
    return pairwise.mean(per_query, where_query) / 2


def keyword_loss(
    query: jax.Array,
    keywords: jax.Array,
    candidates: jax.Array,
    *,
    temperature: jax.Array | float,
    where_query: jax.Array | None = None,
    where: jax.Array | None = None,
) -> jax.Array:
    """Return half the soft cross-entropy of queries described by some of the candidate keywords.

    `pseudo_label_loss` of query and keywords with labels in proportion to the similarity of a
    candidate, and 0 elsewhere. Similarities below 0 count as 0; where all do, labels are equal.

    Args:
      query: [q, d] embeddings of unit length, unmatched.
      keywords: [k, d] embeddings of unit length, in the other modality.
      candidates: [q, k] bool, those in the caption of the nearest matched item: with the captions'
        keywords present [n, k], present[jnp.argmax(labels, axis=1)]. A query without any adds 0.
      temperature: tau > 0; may be learned.
      where_query: [q] bool, the valid queries; 0 is returned if there are none.
      where: [k] bool, the valid keywords.

    Source: the keyword-level loss of Mo et al. 2023, arXiv 2305.14095.

    >>> query, candidates = jnp.eye(2), jnp.array([[True, False], [True, True]])
    >>> round(float(keyword_loss(query, query, candidates, temperature=1.0)), 4)
    0.1566
    """
    _check(where_query, where, query=query, keywords=keywords)
    arguments.given(candidates=candidates)
    arguments.masks((len(query), len(keywords)), candidates=candidates)
    query, where_query = pairwise.rows(query, where_query)
    keywords, where = pairwise.rows(keywords, where)
    candidates = candidates & where[None, :]
    weights = jnp.where(candidates, jnp.maximum(pairwise.similarity(query, keywords), 0), 0)
    weights = jnp.where(_total(weights) == 0, candidates.astype(weights.dtype), weights)
    labels = weights / jnp.where(_total(weights) == 0, 1, _total(weights))
    return pseudo_label_loss(
        query, keywords, labels, temperature=temperature, where_query=where_query, where=where
    )


def _check(where_query: jax.Array | None, where: jax.Array | None, **sets: jax.Array) -> None:
    arguments.rows(**sets)
    arguments.not_empty(**sets)
    query, others = sets.values()
    arguments.masks(query.shape[:1], where_query=where_query)
    arguments.masks(others.shape[:1], where=where)


def _total(weights: jax.Array) -> jax.Array:
    return jnp.sum(weights, axis=1, keepdims=True)


def _scores(
    query: jax.Array, support: jax.Array, where: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Return similarities [q, n], hugely negative for invalid support, and its mask [n]."""
    pairwise.forbid_axis("a pseudo-label")
    arguments.rows(query=query, support=support)
    arguments.not_empty(query=query, support=support)
    arguments.masks(support.shape[:1], where=where)
    query, _ = pairwise.rows(query)
    support, where = pairwise.rows(support, where)
    scores = pairwise.similarity(query, support)
    return jnp.where(where[None, :], scores, empty(scores.dtype)), where

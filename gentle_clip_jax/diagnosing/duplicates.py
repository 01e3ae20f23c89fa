"""Exact and near duplicates in each set."""

from typing import NamedTuple

import numpy as np

from gentle_clip_jax.diagnosing.finding import Finding, bars, number
from gentle_clip_jax.diagnosing.sample import Sample
from gentle_clip_jax.features.collection import Collection

NAME, TITLE = "duplicates", "Duplicates"
_MAX_QUERIES = 1000
_NEIGHBORS = 10
_LEAST_ITEMS = 50
_NEAR = 0.2  # share of the distance to the tenth nearest


class Nearest(NamedTuple):
    """Distances [q, k] of some rows to their nearest other rows.

    query: [q] the query rows; neighbor: [q] the nearest row of each.
    """

    query: np.ndarray
    neighbor: np.ndarray
    distance: np.ndarray


def nearest(rows: np.ndarray, rng: np.random.Generator, k: int = _NEIGHBORS) -> Nearest:
    """Return the k < n nearest of at most 1,000 of the rows [n, d], among all of them."""
    query = rng.permutation(len(rows))[:_MAX_QUERIES]
    square = np.sum(rows * rows, axis=1)
    distance = square[query, None] + square - 2 * rows[query] @ rows.T
    distance = np.sqrt(np.maximum(distance, 0))
    distance[np.arange(len(query)), query] = np.inf
    near = np.argpartition(distance, k, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(distance, near, axis=1), axis=1)
    near = np.take_along_axis(near, order, axis=1)
    return Nearest(query, near[:, 0], np.take_along_axis(distance, near, axis=1))


def exact_duplicates(rows: Collection, matched_ids: np.ndarray) -> tuple[int, int]:
    """Count items that share a row with another item, and unmatched that share a matched one's."""
    _, item_of = np.unique(rows.ids, return_inverse=True)
    content = np.fromiter((hash(row.tobytes()) for row in rows.features), np.int64, len(item_of))
    content = np.unique(content, return_inverse=True)[1]
    of_item = np.unique(np.stack([content, item_of], axis=1), axis=0)
    shared = np.bincount(of_item[:, 0])[content] > 1
    matched = np.isin(rows.ids, matched_ids)
    across = ~matched & np.isin(content, content[matched])
    return len(np.unique(item_of[shared])), len(np.unique(item_of[across]))


def finding(
    sample: Sample, x: Collection, y: Collection, matched: np.ndarray, rng: np.random.Generator
) -> Finding:
    """Count the duplicates of both modalities."""
    sets = {
        "x": np.concatenate([sample.one_x, sample.unmatched_x]),
        "y": np.concatenate([sample.one_y, sample.unmatched_y]),
    }
    nearest_rows = {
        name: nearest(rows, rng) for name, rows in sets.items() if len(rows) >= _LEAST_ITEMS
    }
    numbers = {}
    for column, (name, rows) in enumerate({"x": x, "y": y}.items()):
        shared, across = exact_duplicates(rows, matched[:, column])
        items = len(np.unique(rows.ids))
        numbers[name] = {"items": items, "exact": shared, "unmatched_as_matched": across}
        if name in nearest_rows:
            query, neighbor, distance = nearest_rows[name]
            near = distance[:, 0] < _NEAR * distance[:, -1]
            of_matched = (query < len(sample.x)) != (neighbor < len(sample.x))
            numbers[name] |= {
                "near_share": number(np.mean(near)),
                "near_across_share": number(np.mean(near & of_matched)),
            }
    shares = {
        name: max(one["exact"] / one["items"], one.get("near_share") or 0)
        for name, one in numbers.items()
    }
    many = max(shares.values()) > 0.1
    across = sum(one["unmatched_as_matched"] for one in numbers.values())
    sentence = (
        f"{shares['x']:.1%} of x and {shares['y']:.1%} of y are there twice or nearly so; "
        f"{across:,} unmatched items equal a matched one."
    )
    if many:
        sentence += " Keep copies of one item on one side of any split."
    return Finding(
        NAME,
        TITLE,
        f"x {shares['x']:.1%}, y {shares['y']:.1%}",
        "",
        sentence,
        "warning" if many else "good",
        numbers,
        [bars("Share of items with a duplicate", shares, full=1.0)],
    )

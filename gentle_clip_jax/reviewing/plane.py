"""A map of both modalities: their items in the plane in which they vary most."""

from typing import Any

import numpy as np

from gentle_clip_jax.pages.plane import principal_plane
from gentle_clip_jax.reviewing.queue import Ranking
from gentle_clip_jax.reviewing.session import Session

SIDE = 1000  # user units of the square
_THUMB, _MARGIN = 58, 40
_DOTS, _TIES = 1500, 60
_FITTED = 4000  # items that decide the plane


def maps(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """Return titled maps by the latest fit and, if it is another, by the first."""
    found = [("By the latest fit", plane(session.ranking, session.pairs()))]
    if session.ranking is not session.first:
        found.append(("By the first fit", plane(session.first, session.pairs())))
    return found


def plane(ranking: Ranking, pairs: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Return marks of items with number and place, "x", "y" and "thumbs", and "ties" of pairs.

    The axes are those of `principal_plane`, in ranks, so that no region is crowded. Thumbs are as
    many x as fit without overlap.
    """
    x, y = ranking.x, ranking.y
    rng = np.random.default_rng(0)
    chosen = [np.sort(rng.permutation(len(rows))[:_FITTED]) for rows in (x, y)]
    at_x, at_y, share = principal_plane(x[chosen[0]], y[chosen[1]])
    spread = _ranks(np.concatenate([at_x, at_y]))
    places = spread[: len(at_x)], spread[len(at_x) :]
    where = [dict(zip(of.tolist(), at.tolist())) for of, at in zip(chosen, places)]
    thumbs = _apart(rng.permutation(chosen[0]).tolist(), where[0])
    ties = [
        (*where[0][a], *where[1][b])
        for a, b in zip(*(numbers[::-1].tolist() for numbers in pairs))
        if a in where[0] and b in where[1]
    ]
    return {
        "side": SIDE,
        "thumb": _THUMB,
        "share": round(100 * share),
        "x": [(number, *where[0][number]) for number in chosen[0].tolist()][:_DOTS],
        "y": [(number, *where[1][number]) for number in chosen[1].tolist()][:_DOTS],
        "thumbs": [(number, *where[0][number]) for number in thumbs],
        "ties": ties[:_TIES],
    }


def _ranks(points: np.ndarray) -> np.ndarray:
    """Return points [n, 2] whose coordinates are their ranks, within the square; y points up."""
    ranks = np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0, kind="stable")
    share = ranks / max(len(points) - 1, 1)
    share[:, 1] = 1 - share[:, 1]
    return np.round(_MARGIN + (SIDE - 2 * _MARGIN) * share, 1)


def _apart(numbers: list[int], where: dict[int, list[float]]) -> list[int]:
    """Return the numbers whose thumbnails cover no earlier one."""
    kept: list[int] = []
    places = np.empty((len(numbers), 2))
    for number in numbers:
        gap = np.abs(places[: len(kept)] - where[number]).max(axis=1)
        if not len(gap) or gap.min() >= _THUMB:
            places[len(kept)] = where[number]
            kept.append(number)
    return kept

"""Maps of both modalities: their first two principal components, before and after training."""

from typing import Any

import numpy as np
from markupsafe import Markup

from gentle_clip_jax.pages import render
from gentle_clip_jax.pages.plane import principal_plane
from gentle_clip_jax.runs.read import Embeddings, Modalities

_SIDE = 400  # user units of the square picture
_MARGIN = 16
_MAX_ITEMS, _NUM_PAIRS = 800, 30


def map_section(embeddings: Embeddings | None, modalities: Modalities) -> Markup:
    """Two maps of the same items, before and after, with some matched pairs connected."""
    if embeddings is None:
        return Markup()
    chosen = np.random.default_rng(0).permutation(len(embeddings.names))[:_MAX_ITEMS]
    names = embeddings.names[chosen].tolist()
    before = _map("Before training", embeddings.x_initial, embeddings.y_initial, chosen, names)
    after = _map("After training", embeddings.x, embeddings.y, chosen, names)
    return render(
        "report/templates/maps.html",
        x=modalities[0],
        y=modalities[1],
        maps=[before, after],
        side=_SIDE,
        num_items=len(chosen),
        num_pairs=min(_NUM_PAIRS, len(chosen)),
    )


def _map(
    title: str, x: np.ndarray, y: np.ndarray, chosen: np.ndarray, names: list[str]
) -> dict[str, Any]:
    gap = np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))
    pairs, n = np.sum(x * y), len(x)
    others = (np.sum(x.sum(axis=0) * y.sum(axis=0)) - pairs) / max(n * (n - 1), 1)
    x, y, share = principal_plane(x[chosen], y[chosen])
    description = (
        f"Modality gap {gap:.2f}; mean cosine of pairs {pairs / n:z.2f}, of others {others:z.2f}. "
        f"The plane holds {share:.0%} of the variance."
    )
    marks = [(*a, *b, name) for a, b, name in zip(*_placed(x, y), names)]
    tied, loose = marks[:_NUM_PAIRS], marks[_NUM_PAIRS:]
    return {"title": title, "said": description, "tied": tied, "loose": loose}


def _placed(x: np.ndarray, y: np.ndarray) -> tuple[list[list[float]], list[list[float]]]:
    """Return the positions of points [n, 2] of both sets in the picture, with y upwards."""
    both = np.concatenate([x, y])
    low, high = both.min(axis=0), both.max(axis=0)
    zoom = (_SIDE - 2 * _MARGIN) / max(float((high - low).max()), 1e-9)
    scale = np.array([zoom, -zoom])
    x, y = (np.round(_SIDE / 2 + (of - (low + high) / 2) * scale, 1) for of in (x, y))
    return x.tolist(), y.tolist()

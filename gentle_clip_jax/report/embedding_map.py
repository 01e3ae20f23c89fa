"""Maps of both modalities in the plane where they vary most, before and after training."""

from html import escape

import numpy as np

from gentle_clip_jax.runs.read import Embeddings, Modalities

_SIDE = 400  # user units of the square picture
_MARGIN = 16
_MAX_ITEMS, _NUM_PAIRS = 800, 30


def map_section(embeddings: Embeddings | None, modalities: Modalities) -> str:
    """Two maps of the same items, before and after, with some matched pairs connected."""
    if embeddings is None:
        return ""
    chosen = np.random.default_rng(0).permutation(len(embeddings.names))[:_MAX_ITEMS]
    names = embeddings.names[chosen]
    before = _figure("Before training", embeddings.x_initial, embeddings.y_initial, chosen, names)
    after = _figure("After training", embeddings.x, embeddings.y, chosen, names)
    x, y = map(escape, modalities)
    return f"""
<section><h2>Both modalities in one space</h2>
<ul class="legend"><li><i class="dot x"></i>{x}</li><li><i class="dot y"></i>{y}</li>
<li><i class="tie"></i>a matched pair ({min(_NUM_PAIRS, len(chosen))} of them)</li></ul>
<div class="maps">{before}{after}</div>
<p class="note">Each map shows the same {len(chosen):,} held-out items, {x} and {y} of each, in
the plane of the first two principal components of all its points. The towers move in
training, so each map has its own plane and scale. Two separate clouds are a modality gap; short
lines between pairs that spread over one cloud are what training is for. Point at a mark to read
its name.</p></section>"""


def principal_plane(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coordinates [n, 2] and [m, 2] of x [n, d] and y [m, d] in the plane where they vary most.

    Returns also the share of the total variance that lies in this plane. The plane is that of the
    first two principal components of both sets together; each axis points where its largest
    loading is positive, so that equal inputs give equal pictures.
    """
    points = np.concatenate([x, y]).astype(float)
    points -= points.mean(axis=0)
    _, scale, axes = np.linalg.svd(points, full_matrices=False)
    axes = (
        axes[:2] * np.sign(axes[np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    )
    plane = points @ axes.T
    plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))  # one dimension is a line
    total = np.sum(scale**2)
    share = np.sum(scale[:2] ** 2) / total if total > 0 else 1.0
    return plane[: len(x)], plane[len(x) :], float(share)


def _figure(title: str, x: np.ndarray, y: np.ndarray, chosen: np.ndarray, names: np.ndarray) -> str:
    gap = np.linalg.norm(x.mean(axis=0) - y.mean(axis=0))
    pairs, n = np.sum(x * y), len(x)
    others = (np.sum(x.sum(axis=0) * y.sum(axis=0)) - pairs) / max(n * (n - 1), 1)
    x, y, share = principal_plane(x[chosen], y[chosen])
    return (
        f"<figure><figcaption><b>{title}</b> <span>modality gap {gap:.2f}; mean cosine of pairs "
        f"{pairs / n:z.2f}, of others {others:z.2f}; {share:.0%} of the variance</span>"
        f"</figcaption>{_draw(title, x, y, names)}</figure>"
    )


def _draw(title: str, x: np.ndarray, y: np.ndarray, names: np.ndarray) -> str:
    """The marks by hand, not by a plotting library: each can then say its name."""
    both = np.concatenate([x, y])
    low, high = both.min(axis=0), both.max(axis=0)
    zoom = (_SIDE - 2 * _MARGIN) / max(float((high - low).max()), 1e-9)
    upwards = np.array([zoom, -zoom])
    x, y = (_SIDE / 2 + (points - (low + high) / 2) * upwards for points in (x, y))
    ties = "".join(
        f'<path d="M{a:.1f} {b:.1f}L{u:.1f} {v:.1f}"/>'
        for (a, b), (u, v) in zip(x[:_NUM_PAIRS], y[:_NUM_PAIRS])
    )
    marks = [
        f"<g><title>{escape(str(name))}</title>"
        f'<circle class="x" cx="{a:.1f}" cy="{b:.1f}" r="2.4"/>'
        f'<path class="y" d="M{u:.1f} {v - 3:.1f}l3 3-3 3-3-3z"/></g>'
        for (a, b), (u, v), name in zip(x, y, names)
    ]
    tied, loose = "".join(marks[:_NUM_PAIRS]), "".join(marks[_NUM_PAIRS:])
    return (
        f'<svg class="map" role="img" aria-label="{title}" viewBox="0 0 {_SIDE} {_SIDE}">'
        f'<g class="loose">{loose}</g><g class="ties">{ties}</g>{tied}</svg>'
    )

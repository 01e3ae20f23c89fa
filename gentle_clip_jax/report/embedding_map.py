"""Maps of both modalities in the plane where they vary most, before and after training."""

from html import escape

import numpy as np

from gentle_clip_jax.runs.read import Embeddings

_SIDE = 400  # user units of the square picture
_MARGIN = 16
_MAX_ITEMS, _NUM_PAIRS = 800, 30


def map_section(embeddings: Embeddings | None) -> str:
    """Two maps of the same items, before and after, with some matched pairs connected."""
    if embeddings is None:
        return ""
    chosen = np.random.default_rng(0).permutation(len(embeddings.names))[:_MAX_ITEMS]
    names = embeddings.names[chosen]
    before = _figure(
        "Before training", embeddings.image_initial, embeddings.text_initial, chosen, names
    )
    after = _figure("After training", embeddings.image, embeddings.text, chosen, names)
    return f"""
<section><h2>Both modalities in one space</h2>
<ul class="legend"><li><i class="dot image"></i>image</li><li><i class="dot text"></i>text</li>
<li><i class="tie"></i>a matched pair ({min(_NUM_PAIRS, len(chosen))} of them)</li></ul>
<div class="maps">{before}{after}</div>
<p class="note">Each map shows the same {len(chosen):,} held-out items, an image and a text of
each, in the plane of the first two principal components of all its points. The towers move in
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


def _figure(
    title: str, image: np.ndarray, text: np.ndarray, chosen: np.ndarray, names: np.ndarray
) -> str:
    gap = np.linalg.norm(image.mean(axis=0) - text.mean(axis=0))
    pairs, n = np.sum(image * text), len(image)
    others = (np.sum(image.sum(axis=0) * text.sum(axis=0)) - pairs) / max(n * (n - 1), 1)
    image, text, share = principal_plane(image[chosen], text[chosen])
    return (
        f"<figure><figcaption><b>{title}</b> <span>modality gap {gap:.2f}; mean cosine of pairs "
        f"{pairs / n:.2f}, of others {others:.2f}; {share:.0%} of the variance</span></figcaption>"
        f"{_draw(title, image, text, names)}</figure>"
    )


def _draw(title: str, image: np.ndarray, text: np.ndarray, names: np.ndarray) -> str:
    """The marks by hand, not by a plotting library: each can then say its name."""
    both = np.concatenate([image, text])
    low, high = both.min(axis=0), both.max(axis=0)
    zoom = (_SIDE - 2 * _MARGIN) / max(float((high - low).max()), 1e-9)
    upwards = np.array([zoom, -zoom])
    image, text = (_SIDE / 2 + (points - (low + high) / 2) * upwards for points in (image, text))
    ties = "".join(
        f'<path d="M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}"/>'
        for (x, y), (u, v) in zip(image[:_NUM_PAIRS], text[:_NUM_PAIRS])
    )
    marks = [
        f"<g><title>{escape(str(name))}</title>"
        f'<circle class="image" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>'
        f'<path class="text" d="M{u:.1f} {v - 3:.1f}l3 3-3 3-3-3z"/></g>'
        for (x, y), (u, v), name in zip(image, text, names)
    ]
    tied, loose = "".join(marks[:_NUM_PAIRS]), "".join(marks[_NUM_PAIRS:])
    return (
        f'<svg class="map" role="img" aria-label="{title}" viewBox="0 0 {_SIDE} {_SIDE}">'
        f'<g class="loose">{loose}</g><g class="ties">{ties}</g>{tied}</svg>'
    )

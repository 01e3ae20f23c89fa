"""A gallery of held-out queries and what they retrieve, drawn at random."""

import base64
import io
from html import escape

import numpy as np

from gentle_clip_jax.report import results
from gentle_clip_jax.runs.read import Embeddings, Modalities

_NUM_OF_Y, _NUM_OF_X, _NUM_RETRIEVED = 12, 6, 5
_RIGHT = '<b class="tick" title="right">✓<span class="unseen"> right</span></b>'


def gallery_section(embeddings: Embeddings | None, modalities: Modalities) -> str:
    """Twelve items of y with the pictures of their nearest of x, and six of x with names of y."""
    if embeddings is None:
        return "<section><h2>Search</h2><p>No embeddings have been written yet.</p></section>"
    ways = {key: escape(results.label(key, modalities)) for key in ("t2i", "i2t")}
    n = len(embeddings.names)
    order = np.random.default_rng(0).permutation(n)
    to_x = "".join(_card_of_pictures(embeddings, query) for query in order[:_NUM_OF_Y])
    to_y = "".join(_card_of_names(embeddings, query) for query in order[::-1][:_NUM_OF_X])
    return f"""
<section><h2>Search</h2>
<p class="note">Queries drawn at random from the {n:,} held-out {escape(str(embeddings.set))} items,
not picked. {_RIGHT} marks a right answer, and the rank is the place of the first one; equal names
count as right.</p>
<h3>{ways["t2i"]}: the five nearest</h3><div class="cards">{to_x}</div>
<h3>{ways["i2t"]}: the five nearest</h3><div class="cards">{to_y}</div>
</section>"""


def _search(
    embeddings: Embeddings, query: int, queries: np.ndarray, gallery: np.ndarray
) -> tuple[list[tuple[int, bool]], str]:
    """The nearest items, each with whether it is right, and where the first right one stands."""
    scores = np.round(gallery @ queries[query], 6)  # closer ones differ by rounding alone
    right = embeddings.names == embeddings.names[query]
    # Ties stand against the query, as in the evaluation.
    rank = 1 + np.sum(~right & (scores >= scores[right].max()))
    nearest = np.lexsort((right, -scores))[:_NUM_RETRIEVED]
    return [(int(i), bool(right[i])) for i in nearest], f"rank {rank:,}"


def _card_of_pictures(embeddings: Embeddings, query: int) -> str:
    found, rank = _search(embeddings, query, embeddings.y, embeddings.x)
    tiles = "".join(
        f'<li class="{"right" if right else "wrong"}">{_picture(embeddings, i)}'
        f"{_RIGHT if right else ''}<small>{escape(str(embeddings.names[i]))}</small></li>"
        for i, right in found
    )
    name = escape(str(embeddings.names[query]))
    return (
        f'<article class="card"><header><h4>{name}</h4><span class="rank">{rank}</span>'
        f'<span class="wanted">wanted {_picture(embeddings, query)}</span></header>'
        f'<ol class="tiles">{tiles}</ol></article>'
    )


def _card_of_names(embeddings: Embeddings, query: int) -> str:
    found, rank = _search(embeddings, query, embeddings.x, embeddings.y)
    names = "".join(
        f'<li class="{"right" if right else "wrong"}">{escape(str(embeddings.names[i]))}'
        f"{_RIGHT if right else ''}</li>"
        for i, right in found
    )
    name = escape(str(embeddings.names[query]))
    return (
        f'<article class="card pair"><div class="query">{_picture(embeddings, query)}</div>'
        f'<div><ol class="names">{names}</ol>'
        f'<p class="note">wanted {name}, {rank}</p></div></article>'
    )


def _picture(embeddings: Embeddings, i: int) -> str:
    """A photograph as an inlined JPEG; a glyph as a PNG, black and as opaque as it is bright.

    So a glyph suits any page.
    """
    from PIL import Image

    picture, file = embeddings.pictures[i], io.BytesIO()
    if picture.ndim == 3:
        kind = "jpeg"
        Image.fromarray(picture).save(file, kind, quality=80)
    else:
        kind = "png"
        pixels = np.stack([np.zeros_like(picture), picture], axis=-1)
        Image.fromarray(pixels).save(file, kind, optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    name = escape(str(embeddings.names[i]))
    return f'<img class="glyph" alt="{name}" title="{name}" src="data:image/{kind};base64,{data}">'

"""A gallery of held-out queries and the items that they retrieve, sampled at random."""

import io
from typing import Any

import numpy as np
from markupsafe import Markup

from gentle_clip_jax.pages import render
from gentle_clip_jax.report import results
from gentle_clip_jax.runs.read import Embeddings, Modalities

_NUM_OF_Y, _NUM_OF_X, _NUM_RETRIEVED = 12, 6, 5


def gallery_section(embeddings: Embeddings | None, modalities: Modalities) -> Markup:
    """Return twelve queries of y with their nearest pictures of x, and six of x with names of y."""
    template = "report/templates/gallery.html"
    if embeddings is None:
        return render(template, ways=None)
    n = len(embeddings.names)
    order = np.random.default_rng(0).permutation(n)
    x, y = embeddings.x, embeddings.y
    to_x = [_search(embeddings, query, y, x) for query in order[:_NUM_OF_Y]]
    to_y = [_search(embeddings, query, x, y) for query in order[::-1][:_NUM_OF_X]]
    return render(
        template,
        ways={key: results.label(key, modalities) for key in ("t2i", "i2t")},
        to_x=to_x,
        to_y=to_y,
        num_items=n,
        set=str(embeddings.set),
    )


def _search(
    embeddings: Embeddings, query: int, queries: np.ndarray, gallery: np.ndarray
) -> dict[str, Any]:
    """Return a query, its nearest items, whether each is right, and the first right one's rank."""
    scores = np.round(gallery @ queries[query], 6)  # closer ones differ by rounding alone
    right = embeddings.names == embeddings.names[query]
    # Ties stand against the query, as in the evaluation.
    rank = 1 + np.sum(~right & (scores >= scores[right].max()))
    nearest = np.lexsort((right, -scores))[:_NUM_RETRIEVED]
    retrieved = [{**_item(embeddings, i), "right": bool(right[i])} for i in nearest]
    return {"query": _item(embeddings, query), "found": retrieved, "rank": int(rank)}


def _item(embeddings: Embeddings, i: int) -> dict[str, Any]:
    """Return the name and the picture of an item.

    A photograph is a JPEG; a glyph a PNG, black and as opaque as it is bright, so that it suits any
    page.
    """
    from PIL import Image

    picture, file = embeddings.pictures[i], io.BytesIO()
    photo = picture.ndim == 3
    if photo:
        Image.fromarray(picture).save(file, "jpeg", quality=80)
    else:
        pixels = np.stack([np.zeros_like(picture), picture], axis=-1)
        Image.fromarray(pixels).save(file, "png", optimize=True)
    kind = "photo" if photo else "glyph"
    return {"name": str(embeddings.names[i]), "picture": file.getvalue(), "kind": kind}

"""Pages of items with their pictures, small JPEGs within the page, or else with their texts."""

import base64
import io
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import images, metadata
from gentle_clip_jax.report.document import document, write_document

_PIXELS, _QUALITY = 320, 80
_PICTURE = "display:block;width:100%;height:auto;aspect-ratio:1;border-radius:6px"
_TEXT = "margin:.6rem 0 0;white-space:pre-line;overflow-wrap:anywhere"


class Card(NamedTuple):
    """An item of a page; `note` is what is said beside its id."""

    id: str
    note: str = ""
    text: str = ""


def thumbnails(data: pathlib.Path | None, ids: Iterable[str]) -> dict[str, bytes]:
    """Small square JPEGs of the items that are images in `data`, by id; of others none.

    What is cut off at the longer side is what the encoders do not see either.

    Args:
      data: what `data.images.list_images` reads, or None; where it is gone or holds no images,
        there are no thumbnails.
      ids: of items.
    """
    wanted = {metadata.name_key(id_): id_ for id_ in ids}
    try:
        listed = images.list_images(data) if data is not None else []
    except ValueError:
        return {}
    found = {}
    for image in listed:
        id_ = wanted.get(metadata.name_key(image.id))
        if id_ is not None:
            try:
                found[id_] = _jpeg(images.decode(image.read(), _PIXELS))
            except ValueError:
                continue  # a page with a gap says more than none
    return found


def _jpeg(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def write_page(
    path: pathlib.Path,
    *,
    kind: str,
    title: str,
    lead: Sequence[str],
    cards: Sequence[Card],
    pictures: Mapping[str, bytes],
    now: Sequence[tuple[str, str]],
) -> None:
    """Writes a page of cards, in their order; all words are escaped.

    Args:
      path: of the HTML file.
      kind: of page, e.g. "questions".
      title: what it is about.
      lead: sentences above the cards, the first of them large.
      cards: the items.
      pictures: JPEGs by id.
      now: what to do next, as `document` takes it.

    Raises:
      ValueError: the file cannot be written.
    """
    first, *rest = (escape(sentence) for sentence in lead)
    head = f'<p class="verdict">{first}</p>' + "".join(f"<p>{one}</p>" for one in rest)
    items = "".join(_card(card, pictures.get(card.id)) for card in cards)
    columns = "grid-template-columns:repeat(auto-fill,minmax(min(14rem,100%),1fr));margin-top:2rem"
    listed = f'<ol class="cards" style="{columns}">{items}</ol>'
    page = document(kind, title, head, [listed], now)
    write_document(path, page)


def _card(card: Card, jpeg: bytes | None) -> str:
    picture = ""
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        picture = (
            f'<img src="data:image/jpeg;base64,{data}" alt="{escape(card.id)}" style="{_PICTURE}">'
        )
    text = f'<p style="{_TEXT}">{escape(card.text)}</p>' if card.text else ""
    return (
        f'<li class="card"><header><h4>{escape(card.id)}</h4>'
        f'<span class="wanted">{escape(card.note)}</span></header>{picture}{text}</li>'
    )

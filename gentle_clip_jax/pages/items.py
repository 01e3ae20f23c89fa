"""Items as pages show them, and a page of items only."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gentle_clip_jax.pages.render import Step, render


class Card(NamedTuple):
    """An item; `note` is the text beside its id, `picture` a JPEG."""

    id: str
    note: str = ""
    text: str = ""
    picture: bytes | None = None


class Pair(NamedTuple):
    """An item of x and one of y that are shown as a pair, with a note."""

    x: Card
    y: Card
    note: str = ""


def items_page(
    kind: str, name: str, lead: Sequence[str], cards: Sequence[Card], now: Sequence[Step]
) -> str:
    """Return a page of cards in their order.

    Args:
      kind: of page, e.g. "questions".
      name: its title.
      lead: sentences above the cards, the first of them large.
      cards: the items.
      now: the next steps.
    """
    verdict, *rest = lead
    return render(
        "pages/templates/items.html",
        kind=kind,
        name=name,
        verdict=verdict,
        lead=rest,
        cards=cards,
        now=now,
    )


class HasPreviews(Protocol):
    """A collection whose items have cards."""

    def previews(self, ids: Sequence[str], /) -> Mapping[str, Card]: ...


def previews_html(cards: Iterable[Card]) -> str:
    """Return cards side by side, as HTML that a notebook shows."""
    return render("pages/templates/previews.html", cards=[*cards])


def pairs_html(
    summary: str, x: HasPreviews, y: HasPreviews, pairs: Sequence[tuple[str, str]]
) -> str:
    """Return a sentence and the cards of pairs of ids, as HTML that a notebook shows."""
    of_x, of_y = x.previews([a for a, _ in pairs]), y.previews([b for _, b in pairs])
    cards = [card for a, b in pairs for card in (of_x[a], of_y[b])]
    return f"<p>{html.escape(summary)}</p>{previews_html(cards)}"

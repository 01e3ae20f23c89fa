"""A review as one file: screens that are chosen ahead, answers that come back as review.jsonl."""

import base64
import hashlib
import json
import pathlib
from typing import Any

from markupsafe import Markup

from gentle_clip_jax import pages
from gentle_clip_jax.files import sha256_of, write_text
from gentle_clip_jax.review import queue
from gentle_clip_jax.review.journal import Answer, parsed
from gentle_clip_jax.review.server import ASSETS
from gentle_clip_jax.review.session import Session
from gentle_clip_jax.review.show import Show

SCREENS = 50
_NOW = pages.Step(
    "Save your answers, and add them to the pairs where they came from.",
    "gentle-clip review --aligner=ALIGNER --x=X --y=Y --pairs=PAIRS --answers=review.jsonl",
)


def write(show: Show, path: str | pathlib.Path, *, screens: int = SCREENS) -> int:
    """Writes the page, with its pictures in it, and returns how many screens it has.

    Raises:
      ValueError: there is nothing to ask.
      OSError: the file cannot be written.
    """
    asked = _screens(show.session, screens)
    if not asked:
        raise ValueError(show.nothing_left())
    numbers = sorted({number for _, grid, _ in asked for number in grid})
    session = show.session
    data: dict[str, Any] = {
        "ask": show.ask(),
        "choices": {n: {**_whole(show, "x", n), "id": str(session.x.ids[n])} for n in numbers},
        "screens": [
            {"y": str(session.y.ids[y]), "item": _whole(show, "y", y), "x": grid, "drawn": drawn}
            for y, grid, drawn in asked
        ],
    }
    data["key"] = f"gentle-clip-review-{sha256_of(data)[:16]}"
    style, script = ((ASSETS / f"review.{kind}").read_text("utf-8") for kind in ("css", "js"))
    style = pages.style() + style
    # Only < could end the element that holds the data.
    content = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    text = pages.render(
        "review/templates/static.html",
        here="static",
        now=[_NOW],
        data=Markup(content),
        whole_style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    write_text(pathlib.Path(path), text)
    return len(asked)


def take(session: Session, path: str | pathlib.Path) -> int:
    """Adds the answers of a file that such a page has saved, and returns how many.

    Those to items that have an answer or a partner by now are left out.

    Raises:
      ValueError: the file is not there, is no text, or is of other items.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"There is no file of answers {path}.")
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): give the file that the page has saved."
        ) from error
    standing: dict[int, Answer] = {}
    for place, line in enumerate(lines, 1):
        found = parsed(line, f"{path}, line {place}")
        if isinstance(found, int):
            standing.pop(found, None)
        else:
            standing[found.number] = found
    return sum(session.take(answer) for answer in standing.values())


def _screens(session: Session, count: int) -> list[tuple[int, list[int], str]]:
    unasked, free = session.waiting()
    screens = []
    while len(screens) < count and unasked.any() and free.any():
        y, drawn = queue.next_item(session.ranking, unasked, len(screens), seed=session.seed)
        unasked[y] = False
        screens.append((y, queue.grid(session.ranking, y, free).tolist(), drawn))
    return screens


def _whole(show: Show, side: str, number: int) -> dict[str, Any]:
    """An item with its picture in it."""
    item = show.item(side, number)
    if "picture" not in item:
        return item
    try:
        picture = base64.b64encode(show.picture(side, number)).decode()
    except ValueError:
        return {"name": str(number + 1), "label": "its picture cannot be read"}
    return {"picture": f"data:image/jpeg;base64,{picture}"}


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

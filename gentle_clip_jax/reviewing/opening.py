"""Opening of a review from collections and a file of pairs."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.progress import Progress
from gentle_clip_jax.reviewing.queue import Mode
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.searching.opened import Opened
from gentle_clip_jax.storage.progress import working

# A fit to fewer pairs than these rarely has the partner in a grid, if it is one of so many items.
TEN_BELOW, TEN_ABOVE = 20, 2000


class Review(NamedTuple):
    """An open review: its items and answers, and its recall curve (None for a trained run)."""

    show: Show
    progress: Progress | None


@contextlib.contextmanager
def open_review(
    aligner: Opened,
    x: Collection,
    y: Collection,
    pairs: pathlib.Path,
    *,
    images: str | pathlib.Path | None = None,
    seed: int = 0,
    mode: Mode | None = None,
    background: bool = True,
) -> Iterator[Review]:
    """Open a review; its files are closed when the block ends.

    Args:
      aligner: a fitted one, or a trained run, which is not refitted.
      x, y: features that the aligner embeds.
      pairs: a CSV file of known pairs, which may be missing or empty; it grows, and the folder
        PAIRS.review beside it holds the log and the other files, see `Journal`.
      images: pictures by the ids of items, see `Pictures`.
      seed: of the random screens.
      mode: kind of question at the start, see `Session.switch`; None to choose it by the numbers
        of pairs and items.
      background: see `Session`.

    Raises:
      ValueError: a file is missing, damaged, or does not belong to the others.
    """
    pictures = Pictures(images) if images is not None else None
    of_x = unit_rows(x.means(aligner.embed("x", x.features)))
    of_y = unit_rows(y.means(aligner.embed("y", y.features)))
    embed_x, embed_y = (functools.partial(aligner.embed, name) for name in "xy")
    space = Space(of_x, of_y, embed_x, embed_y)
    finder = Finder(x, y, space, functools.partial(aligner.items.word_encoder, "y"))
    with contextlib.closing(Journal(pairs, x.items, y.items)) as journal:
        with working("opening the review"):
            progress, refits = _refits(aligner, finder, x, y, journal)
            refits |= {"seed": seed, "background": background}
            session = Session(x, y, (of_x, of_y), journal, **refits)
        with contextlib.closing(session):
            few, many = len(session.pairs()[0]) < TEN_BELOW, len(x.items) > TEN_ABOVE
            session.switch(mode or ("ten" if few and many else "grid"))
            yield Review(Show(session, pictures, finder), progress)


def _refits(
    aligner: Opened, finder: Finder, x: Collection, y: Collection, journal: Journal
) -> tuple[Progress | None, dict[str, Any]]:
    """Return the recall curve and the arguments of `Session` for refits; None and {} for a run.

    A run is not refitted: a closed form fitted to a few pairs would lose what its encoders learnt.
    """
    fitted = aligner.aligner
    if not fitted.can_refit:
        return None, {}
    fit = refit.prepare(x, y, fitted.about.get("method", ""))
    progress = Progress(fit.embedded, journal.folder / "curve.json")

    def embed(*pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = fit.fitted(*pairs)
        finder.space = Space(*found.embedded(), found.embed_x, found.embed_y)
        return finder.space.x, finder.space.y

    return progress, {"own": fit.own(), "embed": embed, "after_refit": progress.measure}

"""Opening of a review from collections and a file of pairs."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.progress import Progress
from gentle_clip_jax.reviewing.queue import Mode
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.searching.encoder import FeatureItems
from gentle_clip_jax.searching.opened import Opened, other
from gentle_clip_jax.storage.progress import working

# A fit to fewer pairs than these rarely has the partner in a grid, if it is one of so many items.
TEN_BELOW, TEN_ABOVE = 20, 2000


@dataclasses.dataclass
class Review:
    """An open review: its items and answers, and its recall curve (None for a trained run).

    begin: makes the session of the first fit; None if there was an aligner, or once it is made.
    """

    show: Show
    progress: Progress | None
    begin: Callable[[], Session] | None = None

    def advance(self) -> Show | None:
        """Go on with fits once the first pairs are found; return what is shown then, else None."""
        first = self.show.session
        if self.begin is None or not isinstance(first, FirstPairs) or not first.is_done:
            return None
        session, self.begin = self.begin(), None
        self.show = Show(session, self.show.pictures, self.show.finder)
        return self.show


@contextlib.contextmanager
def open_review(
    aligner: Opened | None,
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
      aligner: a fitted one, or a trained run, which is not refitted; None to begin with three pairs
        that are found by words, see `FirstPairs`.
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
    with contextlib.closing(Journal(pairs, x.items, y.items)) as journal:
        with working("opening the review"):
            settings = {"seed": seed, "background": background}
            opening = _from_nothing if aligner is None else _from_aligner
            review = opening(aligner, x, y, journal, pictures, mode, settings)
        try:
            yield review
        finally:
            review.show.session.close()


def _from_aligner(
    aligner: Opened | None,
    x: Collection,
    y: Collection,
    journal: Journal,
    pictures: Pictures | None,
    mode: Mode | None,
    settings: dict[str, Any],
) -> Review:
    assert aligner is not None
    of_x = unit_rows(x.means(aligner.embed("x", x.features)))
    of_y = unit_rows(y.means(aligner.embed("y", y.features)))
    embed_x, embed_y = (functools.partial(aligner.embed, name) for name in "xy")
    space = Space(of_x, of_y, embed_x, embed_y)
    finder = Finder(x, y, space, functools.partial(aligner.items.word_encoder, "y"))
    # A run is not refitted: a closed form of a few pairs would lose what its encoders learnt.
    progress, fitted = None, aligner.aligner
    if fitted.can_refit:
        fit = refit.prepare(x, y, fitted.about.get("method", ""))
        progress, refits = _refits(fit, finder, journal)
        settings = settings | refits
    session = Session(x, y, (of_x, of_y), journal, **settings)
    _switch(session, mode)
    session.begin()
    return Review(Show(session, pictures, finder), progress)


def _from_nothing(
    aligner: Opened | None,
    x: Collection,
    y: Collection,
    journal: Journal,
    pictures: Pictures | None,
    mode: Mode | None,
    settings: dict[str, Any],
) -> Review:
    assert aligner is None
    items = FeatureItems("The review", {"x": x.encoder, "y": y.encoder})
    first = FirstPairs(x, y, journal, seed=settings["seed"])
    asked = other(first.asked)
    finder = Finder(x, y, None, functools.partial(items.word_encoder, asked))
    fit = refit.prepare(x, y, "")
    progress, refits = _refits(fit, finder, journal)

    def begin() -> Session:
        of_x, of_y = first.first_fit()
        start = refits["embed"](of_x, of_y, np.ones(len(of_x), np.float32))
        session = Session(x, y, start, journal, fitted=len(of_x), **settings, **refits)
        _switch(session, mode)
        session.begin()
        return session

    review = Review(Show(first, pictures, finder), progress, begin)
    review.advance()
    return review


def _switch(session: Session, mode: Mode | None) -> None:
    few, many = len(session.pairs()[0]) < TEN_BELOW, len(session.x.items) > TEN_ABOVE
    session.switch(mode or ("ten" if few and many else "grid"))


def _refits(fit: refit.Fit, finder: Finder, journal: Journal) -> tuple[Progress, dict[str, Any]]:
    """Return the recall curve and the arguments of `Session` for refits."""
    progress = Progress(fit.embedded, journal.folder / "curve.json")

    def embed(*pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = fit.fitted(*pairs)
        finder.space = Space(*found.embedded(), found.embed_x, found.embed_y)
        return finder.space.x, finder.space.y

    return progress, {"own": fit.own(), "embed": embed, "after_refit": progress.measure}

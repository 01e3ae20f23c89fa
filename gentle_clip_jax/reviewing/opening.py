"""Opening of a review from collections and a file of pairs."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.pictures import Pictures, pictures_of
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
      images: pictures by the ids of the items of x, or of y if x are texts, see `Pictures`; by
        default those that were encoded.
      seed: of the random screens.
      mode: kind of question at the start, see `Session.switch`; None to choose it by the numbers
        of pairs and items.
      background: see `Session`.

    Raises:
      ValueError: a file is missing, damaged, or does not belong to the others.
    """
    pictures = {side: pictures_of(of) for side, of in (("x", x), ("y", y))}
    if images is not None:
        pictures["y" if any(x.item_texts) else "x"] = Pictures(images)
    with contextlib.closing(Journal(pairs, x.items, y.items)) as journal:
        with working("opening the review"):
            new = _New(x, y, journal, pictures, mode, {"seed": seed, "background": background})
            review = _from_nothing(new) if aligner is None else _from_aligner(new, aligner)
        try:
            yield review
        finally:
            review.show.session.close()


class _New(NamedTuple):
    """Arguments of a review that is opened, with or without an aligner; settings: of `Session`."""

    x: Collection
    y: Collection
    journal: Journal
    pictures: dict[str, Pictures | None]
    mode: Mode | None
    settings: dict[str, Any]

    def session(self, start: tuple[np.ndarray, np.ndarray], **more: Any) -> Session:
        """Return a session that has begun with unit rows of all items."""
        session = Session(self.x, self.y, start, self.journal, **self.settings, **more)
        few, many = len(session.pairs()[0]) < TEN_BELOW, len(self.x.items) > TEN_ABOVE
        session.switch(self.mode or ("ten" if few and many else "grid"))
        session.begin()
        return session

    def refits(self, finder: Finder, method: str) -> tuple[Progress, dict[str, Any]]:
        """Return the recall curve and the arguments of `Session` for refits."""
        fit = refit.prepare(self.x, self.y, method)
        progress = Progress(fit.embedded, self.journal.folder / "curve.json")

        def embed(*pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = fit.fitted(*pairs)
            space = Space(*found.embedded(), found.embed_x, found.embed_y)
            finder.fitted(space)
            return space.x, space.y

        return progress, {"own": fit.own(), "embed": embed, "after_refit": progress.measure}


def _from_aligner(new: _New, aligner: Opened) -> Review:
    start = tuple(
        unit_rows(rows.means(aligner.embed(side, rows.features)))
        for side, rows in (("x", new.x), ("y", new.y))
    )
    space = Space(*start, *(functools.partial(aligner.embed, side) for side in "xy"))
    finder = Finder(new.x, new.y, space, functools.partial(aligner.items.word_encoder, "y"))
    # A run or a space of the features' own is not refitted: a closed form of a few pairs would lose
    # what the encoders learnt.
    progress, refits, fitted = None, {}, aligner.aligner
    method = fitted.metadata.get("method", "")
    if fitted.can_refit and not (method in METHODS and METHODS[method].shared):
        progress, refits = new.refits(finder, method)
    session = new.session((space.x, space.y), **refits)
    folder = str(aligner.path) if fitted.can_refit else "aligner"
    return Review(Show(session, new.pictures, finder, folder), progress)


def _from_nothing(new: _New) -> Review:
    items = FeatureItems("The review", {"x": new.x.encoder, "y": new.y.encoder})
    first = FirstPairs(new.x, new.y, new.journal, seed=new.settings["seed"])
    encoder = functools.partial(items.word_encoder, other(first.asked))
    finder = Finder(new.x, new.y, None, encoder)
    progress, refits = new.refits(finder, "")

    def begin() -> Session:
        of_x, of_y = first.first_fit()
        start = refits["embed"](of_x, of_y, np.ones(len(of_x), np.float32))
        return new.session(start, fitted=len(of_x), **refits)

    review = Review(Show(first, new.pictures, finder), progress, begin)
    review.advance()
    return review

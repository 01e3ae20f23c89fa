"""A review of files: from the paths that a person gives to all that a page needs."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.progress import working
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.progress import Progress
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.searching.opened import Opened

Path = str | pathlib.Path
# A fit to fewer pairs than these rarely has the partner in a grid, if it is one of so many items.
TEN_BELOW, TEN_ABOVE = 20, 2000


class Review(NamedTuple):
    """What there is to see, and the curve of what it has brought; None of a trained run."""

    show: Show
    progress: Progress | None


@contextlib.contextmanager
def review(
    aligner: Opened, x: Path, y: Path, pairs: Path, *, images: Path | None = None, seed: int = 0
) -> Iterator[Review]:
    """Opens a review; its files are closed when the block ends.

    Args:
      aligner: a fitted one; or a trained run, which answers do not change.
      x, y: folders of `gentle-clip encode` or files of embeddings; of a run, its raw items.
      pairs: a CSV file of known pairs; it grows, and review.jsonl, not_pairs.csv, a backup and
        review_curve.json are kept beside it.
      images: pictures by the ids of items, see `Pictures`.
      seed: of the screens drawn at random.

    Raises:
      ValueError: a file is not there, is damaged, or does not belong to the others.
    """
    fitted = aligner.aligner
    of_x, of_y = (aligner.read(path, side)[0] for path, side in ((x, "x"), (y, "y")))
    pictures = Pictures(images) if images is not None else None
    start = (
        unit_rows(of_x.means(np.asarray(fitted.embed_x(of_x.features)))),
        unit_rows(of_y.means(np.asarray(fitted.embed_y(of_y.features)))),
    )
    embed_x, embed_y = (lambda rows, side=side: aligner.embed(side, rows) for side in "xy")
    load_encoder = functools.partial(aligner.items.word_encoder, "y")
    finder = Finder(of_x, of_y, Space(*start, embed_x, embed_y), load_encoder)

    def refitted(fit: refit.Fit, *pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = fit.fitted(*pairs)
        finder.space = Space(*found.embedded(), found.embed_x, found.embed_y)
        return finder.space.x, finder.space.y

    journal = Journal(pairs)
    try:
        with working("opening the review"):
            progress, refits = None, {}
            # A closed form of a few pairs would forget what the towers of a run have learnt.
            if fitted.can_refit:
                fit = refit.prepare(of_x, of_y, fitted.about.get("method", ""))
                curve = journal.pairs.with_name("review_curve.json")
                progress = Progress(fit.embedded, curve)
                refits = {"own": fit.own(), "embed": functools.partial(refitted, fit)}
                refits["after_refit"] = progress.measure
            session = Session(of_x, of_y, start, journal, seed=seed, **refits)
    except BaseException:
        journal.close()
        raise
    try:
        few, many = len(session.pairs()[0]) < TEN_BELOW, len(of_x.items) > TEN_ABOVE
        session.switch("ten" if few and many else "grid")
        yield Review(Show(session, pictures, finder), progress)
    finally:
        session.close()

"""A review of files: from the paths that a person gives to all that a page needs."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gentle_clip_jax import aligners
from gentle_clip_jax.data import embeddings
from gentle_clip_jax.review import refit
from gentle_clip_jax.review.journal import Journal
from gentle_clip_jax.review.pictures import Pictures
from gentle_clip_jax.review.progress import Progress
from gentle_clip_jax.review.session import Session
from gentle_clip_jax.review.show import Show
from gentle_clip_jax.review.sides import Side, unit

Path = str | pathlib.Path


class Review(NamedTuple):
    """What there is to see, and the curve of what it has brought."""

    show: Show
    progress: Progress


@contextlib.contextmanager
def review(
    aligner: Path, x: Path, y: Path, pairs: Path, *, images: Path | None = None, seed: int = 0
) -> Iterator[Review]:
    """Opens a review; its files are closed when the block ends.

    Args:
      aligner: a folder that `Aligner.save` has written.
      x, y: folders of `gentle-clip encode` or files of embeddings.
      pairs: a CSV file of known pairs; it grows, and review.jsonl, not_pairs.csv, a backup and
        review_curve.json are kept beside it.
      images: pictures by the ids of items, see `Pictures`.
      seed: of the screens drawn at random.

    Raises:
      ValueError: a file is not there, is damaged, or does not belong to the others.
    """
    fitted = aligners.load(aligner)
    of_x, of_y = (Side.of(embeddings.read(path)) for path in (x, y))
    pictures = Pictures(images) if images is not None else None
    start = (
        unit(of_x.means(np.asarray(fitted.embed_x(of_x.features)))),
        unit(of_y.means(np.asarray(fitted.embed_y(of_y.features)))),
    )
    fit = refit.prepare(of_x, of_y, fitted.about.get("method", ""))
    journal = Journal(pairs)
    try:
        progress = Progress(fit.embedded, journal.pairs.with_name("review_curve.json"), seed=seed)
        session = Session(
            of_x,
            of_y,
            start,
            journal,
            embed=fit.embedded,
            after_refit=progress.measure,
            seed=seed,
        )
    except BaseException:
        journal.close()
        raise
    try:
        yield Review(Show(session, pictures), progress)
    finally:
        session.close()

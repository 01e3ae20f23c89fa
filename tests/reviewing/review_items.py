"""Forty items in two modalities that belong together, and a review of them that needs no fit."""

import pathlib

import numpy as np

from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.session import Session

NUMBER = 80
HOSTILE = "<script>alert('1')</script>\"'&"


def latent(noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(NUMBER, 6))
    return unit_rows(truth), unit_rows(truth + noise * rng.normal(size=truth.shape))


def sides(*, texts: bool = True, number: int = NUMBER) -> tuple[Collection, Collection]:
    x, y = (rows[:number] for rows in latent())
    x_ids = np.array([f"x{i}" for i in range(number)])
    y_ids = np.array([f"y{i}" for i in range(number)])
    said = np.array([f"text {i} {HOSTILE}" for i in range(number)], object) if texts else None
    return Collection(x, x_ids), Collection(y, y_ids, texts=said)


def write_pairs(folder: pathlib.Path, content: bytes = b"x,y\nx0,y0\nx1,y1\n") -> pathlib.Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / "pairs.csv"
    path.write_bytes(content)
    return path


def opened(pairs: pathlib.Path, number: int = NUMBER) -> Journal:
    x, y = sides(number=number)
    return Journal(pairs, x.items, y.items)


def session(pairs: pathlib.Path, *, number: int = NUMBER, **settings) -> Session:
    x, y = sides(number=number)
    start = tuple(rows[:number] for rows in latent())
    settings.setdefault("background", False)
    return Session(x, y, start, opened(pairs, number), **settings)


def finder(review: Session) -> Finder:
    """Without an encoder: by the words of texts and names."""
    return Finder(review.x, review.y, Space(*latent(), lambda rows: rows, lambda rows: rows))


def answered(review: Session, kind: str | None = None):
    """Answers the present screen, by the truth unless a kind is given."""
    question = review.question()
    if kind is None and question.y in question.x:
        return review.answer(question.screen, "match", question.y)
    return review.answer(question.screen, kind or "none")

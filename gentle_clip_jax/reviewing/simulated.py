"""Simulation of a review, answered by known partners; items kept out of it measure recall."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners import Aligner
from gentle_clip_jax.evaluation.cross_validation import rank_of_partner
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.opening import Review
from gentle_clip_jax.reviewing.played import Answers, Screen, play
from gentle_clip_jax.reviewing.progress import AT
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.reviewing.tables import write_pairs


class Point(NamedTuple):
    """Recall at 10 of the items kept out, in per cent, by numbers of answers and of pairs."""

    answers: int
    pairs: int
    recall: float


def kept_out(
    partner: Mapping[str, str], pairs: Sequence[Sequence[str]], number: int, *, seed: int = 0
) -> list[tuple[str, str]]:
    """Return pairs (x, y), drawn at random from those that are not known yet.

    Args:
      partner: the id of y of every id of x.
      pairs: the known ones.
      number: of pairs to return.
      seed: of the choice.
    """
    rest = sorted(partner.keys() - {x for x, _ in pairs})
    chosen = np.random.default_rng(seed).permutation(rest)[:number].tolist()
    return [(x, partner[x]) for x in chosen]


def recall(
    aligner: Aligner, x: Collection, y: Collection, tested: Sequence[tuple[str, str]]
) -> float:
    """Return the share of pairs, in per cent, whose x is among the ten nearest to its y."""
    rows = aligner.smooth_gallery_x(aligner.embed_x(x.means()))
    of_x, of_y = zip(*tested)
    queries = np.asarray(aligner.embed_y(y.means()))[y.numbers_of(of_y)]
    return _recall(np.asarray(rows), queries, x.numbers_of(of_x))


def simulate(
    aligner: Aligner,
    x: Collection,
    y: Collection,
    pairs: Sequence[tuple[str, str]],
    partner: Mapping[str, str],
    *,
    screens: int,
    tested: Sequence[tuple[str, str]],
    look_up: bool = False,
    out: str | pathlib.Path,
    tell: Callable[[Point], object],
    seed: int = 0,
) -> list[Point]:
    """Review with the answers of a person who knows every partner, without a page.

    Args:
      aligner: fitted to `pairs`.
      x, y: the items.
      pairs: known pairs, at least two.
      partner: the id of y of every id of x.
      screens: number of answers.
      tested: pairs whose y the review never asks about; their items are unmatched in every fit.
      look_up: whether a partner is found although it is not on the screen.
      out: folder of pairs.csv and of the log; the same call continues there.
      tell: called with each point of the curve as it is measured.
      seed: of the random screens.

    Returns:
      Recall at 10 of `tested` after each refit of this call, and before the first answer.
    """
    fit, points = refit.prepare(x, y, aligner.metadata["method"]), list[Point]()
    asked = y.select(np.setdiff1d(y.items, [b for _, b in tested]))
    place, own = y.numbers_of(asked.items), fit.own()
    tested_x, tested_y = (side.numbers_of(ids) for side, ids in zip((x, y), zip(*tested)))

    def embed(of_x: np.ndarray, of_y: np.ndarray, weight: np.ndarray) -> tuple[Any, Any]:
        rows_x, rows_y = fit.embedded(of_x, place[of_y], weight)
        found = _recall(rows_x, rows_y[tested_y], tested_x)
        points.append(Point(journal.count, len(of_x), found))
        tell(points[-1])
        return rows_x, rows_y[place]

    path = pathlib.Path(out) / "pairs.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pairs(path, pairs)
    with contextlib.closing(Journal(path, x.items, asked.items)) as journal:
        known = [side.numbers_of(ids) for side, ids in zip((x, asked), zip(*pairs))]
        start = embed(known[0], known[1], np.ones(len(pairs), np.float32))
        settings: Any = {"embed": embed, "own": (own[0], own[1][place]), "background": False}
        session = Session(x, asked, start, journal, seed=seed, **settings)
        with contextlib.closing(session):
            session.begin()
            answers = _answers({b: a for a, b in partner.items()}, screens, look_up)
            play(Review(Show(session), None), answers)
    return points


def _answers(right: Mapping[str, str], screens: int, look_up: bool) -> Answers:
    def answer(screen: Screen) -> str | None:
        if screen.number > screens:
            raise StopIteration
        found = right[screen.query]
        return found if look_up or found in screen.candidates else None

    return answer


def _recall(rows: np.ndarray, queries: np.ndarray, right: np.ndarray) -> float:
    cosines = queries @ rows.T
    own = cosines[np.arange(len(right)), right]
    return 100 * float(np.mean(rank_of_partner(cosines, own) <= AT))

"""A review whose answers come from a function, such as a simulation or a notebook."""

from collections.abc import Callable
from typing import NamedTuple

from gentle_clip_jax.reviewing.opening import Review
from gentle_clip_jax.searching.opened import other


class Screen(NamedTuple):
    """One question of a review: which item of x belongs to this item of y?

    number: of the answer that it will get, from 1. query: the id of the item of y. candidates: ids
    of items of x, the nearest first. cosines: of each candidate with the query, by the latest fit;
    no probabilities. closest: True if the candidate closest to the query is asked for, in place of
    its partner; such an answer is no pair. asked: "y"; or "x" in a review without an aligner, until
    three pairs are found: then the query is an item of x, candidates are of y in their order, and
    there are no cosines.
    """

    number: int
    query: str
    candidates: list[str]
    cosines: list[float]
    closest: bool
    asked: str = "y"


# The id of the partner, or None for "none of these"; StopIteration ends the review.
Answers = Callable[[Screen], str | None]


def play(review: Review, answers: Answers) -> None:
    """Give the answers of a function until it stops or no question is left.

    Raises:
      ValueError: an answer is no item that has no partner yet.
    """
    review.show.session.wait()
    while question := (session := review.show.session).question():
        closest, sides = question.sampling == "ten", (session.y, session.x)
        asked, others = sides if question.asked == "y" else sides[::-1]
        screen = Screen(
            session.journal.count + 1,
            str(asked.items[question.y]),
            others.items[list(question.x)].tolist(),
            session.cosines(question).tolist(),
            closest,
            question.asked,
        )
        try:
            partner = answers(screen)
        except StopIteration:
            return
        side = other(question.asked)
        if partner is None:
            session.answer(question.screen, "none")
        elif partner in session.standing.of(side):
            number = session.standing.of(side)[partner]
            session.answer(question.screen, "near" if closest else "match", number)
        else:
            raise ValueError(
                f"The answer to screen {screen.number}, {partner!r}, is no item of {side}."
            )
        review.advance()

"""Pairs and answers as numbers of items."""

import copy
import itertools
from collections.abc import Iterable

import numpy as np

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.log import ASKED, RANDOMLY_ASKED, Answer
from gentle_clip_jax.reviewing.queue import Mode, kind_of_screen

NEAR_WEIGHT = 0.3  # of the closest of ten in a fit; a confirmed pair counts 1


class Standing:
    """Pairs from before the review and the answers of a journal.

    of_x, of_y: numbers of items by their ids.

    Raises:
      ValueError: the pairs or the answers are of other items.
    """

    def __init__(self, x: Collection, y: Collection, journal: Journal):
        self._journal, self._answers = journal, journal.answers
        self.of_x = {id_: i for i, id_ in enumerate(x.items.tolist())}
        self.of_y = {id_: i for i, id_ in enumerate(y.items.tolist())}
        for answer in journal.answers.values():
            self.check(answer, str(journal.log.path))

    @property
    def known(self) -> list[tuple[str, str]]:
        """Ids of the pairs that were not confirmed in this review."""
        return self._journal.given

    @property
    def count(self) -> int:
        """Number of answers."""
        return len(self._answers)

    @property
    def begun(self) -> int:
        """Number of answers before the first fit, where there was no aligner."""
        return sum(answer.sampling in (ASKED, RANDOMLY_ASKED) for answer in self._answers.values())

    def first(self, count: int) -> "Standing":
        """Return the state after the first `count` of these answers."""
        earlier = copy.copy(self)
        earlier._answers = dict(itertools.islice(sorted(self._answers.items()), count))
        return earlier

    def of(self, side: str) -> dict[str, int]:
        """Return the numbers of the items of a modality, "x" or "y", by their ids."""
        return self.of_x if side == "x" else self.of_y

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of x [p] and of y [p] of all pairs; those known before come first."""
        matched = [*self._of_kind("match")]
        return self._numbers(
            [*(x for x, _ in self.known), *(a.x for a in matched)],
            [*(y for _, y in self.known), *(a.y for a in matched)],
        )

    def fitted_to(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return numbers [p] of x and y of all pairs, then of the closest of ten, and weights.

        The closest of ten is ignored for an item that has a partner.
        """
        of_x, of_y = self.pairs()
        near = [a for a in self._of_kind("near") if self.of_y[a.y] not in set(of_y.tolist())]
        near_x, near_y = self._numbers([a.x for a in near], [a.y for a in near])
        weight = np.repeat([1.0, NEAR_WEIGHT], [len(of_x), len(near)]).astype(np.float32)
        return np.concatenate([of_x, near_x]), np.concatenate([of_y, near_y]), weight

    def free(self) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of x [n] and of y [m] without a partner."""
        masks = np.ones(len(self.of_x), bool), np.ones(len(self.of_y), bool)
        for mask, numbers in zip(masks, self.pairs()):
            mask[numbers] = False
        return masks

    def waiting(self, kind: Mode = "grid") -> tuple[np.ndarray, np.ndarray]:
        """Return masks of y [m] without an answer or a partner, and of x [n] without a partner.

        kind: of the screens whose answers count.
        """
        free, unasked = self.free()
        for answer in self._asked_of_y():
            if kind_of_screen(answer.sampling) == kind:
                unasked[self.of_y[answer.item]] = False
        return unasked, free

    def place(self, kind: Mode) -> int:
        """Return the number of answered screens of a kind."""
        return sum(kind_of_screen(answer.sampling) == kind for answer in self._asked_of_y())

    def check(self, answer: Answer, where: str) -> None:
        """Raise ValueError if an answer is of other items."""
        of_item, others = self.of_y, self.of_x
        if answer.asked == "x":
            of_item, others = others, of_item
        partner = () if answer.partner is None else (answer.partner,)
        if answer.item not in of_item or not others.keys() >= {*answer.shown, *partner}:
            raise ValueError(
                f"{where} is of other items ({answer.item}): move it away, or give the x and y "
                "that it was made with."
            )

    def _asked_of_y(self) -> Iterable[Answer]:
        return (answer for answer in self._answers.values() if answer.asked == "y")

    def _of_kind(self, kind: str) -> Iterable[Answer]:
        return (answer for answer in self._answers.values() if answer.kind == kind)

    def _numbers(self, x: list, y: list) -> tuple[np.ndarray, np.ndarray]:
        return np.array([self.of_x[i] for i in x], int), np.array([self.of_y[i] for i in y], int)

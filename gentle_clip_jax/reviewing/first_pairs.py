"""The first three pairs of a review that begins without an aligner: partners found by words."""

import functools
import threading

import numpy as np

from gentle_clip_jax.asking.choose import RANDOM_EVERY, items_to_ask
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.log import ASKED, RANDOMLY_ASKED, Answer, Kind
from gentle_clip_jax.reviewing.queue import GRID, Mode, Question
from gentle_clip_jax.reviewing.standing import Standing

PAIRS = 3  # of the first fit
_MOST = 120  # items to ask about, until three have a partner


class FirstPairs:
    """Asks about items that stand for many others; in the place of a `Session` until three pairs.

    It asks about x, or about y if only x has texts, as texts are found by words. The choices are
    not ranked, as nothing is fitted yet. Safe to use from several threads.

    Args:
      x, y: the items.
      journal: the files.
      seed: of the items asked about at random.
    """

    mode: Mode = "grid"
    ranking = None

    def __init__(self, x: Collection, y: Collection, journal: Journal, *, seed: int = 0):
        self.x, self.y, self.journal = x, y, journal
        self.standing, self._lock = Standing(x, y, journal), threading.RLock()
        self.asked = "y" if any(x.item_texts) and not any(y.item_texts) else "x"
        self._place, self._seed = "xy".index(self.asked), seed  # of the modality in a pair

    @functools.cached_property
    def _order(self) -> list[int]:
        """Numbers of the items to ask about; it takes seconds, and none if all pairs are given."""
        items, numbers = (self.x, self.y)[self._place], self.standing.of(self.asked)
        known = [numbers[pair[self._place]] for pair in self.journal.given]
        count = min(_MOST, len(items.items) - len(known))
        return items_to_ask(items.means(), count, seed=self._seed, pairs=known) if count else []

    @property
    def is_done(self) -> bool:
        """True once there are enough pairs for a fit."""
        return len(self.standing.pairs()[0]) >= PAIRS

    def question(self) -> Question | None:
        """Return the item to ask about, with the first choices in their order, if there is one."""
        with self._lock:
            if self.is_done:
                return None
            waiting, free = self.waiting()
            left = [number for number in self._order if waiting[number]]
            free = np.flatnonzero(free)
            if not left or not len(free):
                return None
            place = self._order.index(left[0]) + 1
            sampling = ASKED if place % RANDOM_EVERY else RANDOMLY_ASKED
            choices = tuple(free[:GRID].tolist())
            return Question(self.journal.count + 1, left[0], choices, sampling, self.asked)

    def waiting(self) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of the items to ask about, and of those to choose from."""
        with self._lock:
            masks, numbers = self.standing.free(), self.standing.of(self.asked)
            waiting, choices = masks[self._place], masks[1 - self._place]
            for answer in self.journal.answers.values():
                if answer.asked == self.asked:
                    waiting[numbers[answer.item]] = False
            return waiting, choices

    def following(self) -> None:
        """Return None: no picture need be loaded ahead."""

    def switch(self, mode: Mode) -> None:
        """Accept no other mode.

        Raises:
          ValueError: the mode is not "grid".
        """
        if mode != "grid":
            raise ValueError("Nothing is ranked before there are three pairs: find those first.")

    def answer(self, screen: int, kind: Kind, x: int | None = None) -> Answer:
        """Log the answer to the present screen, and return it; see `Session.answer`.

        Args:
          screen: the number of the question.
          kind: "match" with the number of the partner, "none" or "unsure".
          x: the number of the partner, in the modality to choose from.

        Raises:
          ValueError: another question is open by now, or the item cannot be chosen.
        """
        with self._lock:
            question = self.question()
            if question is None or question.screen != screen:
                raise ValueError("This screen was answered already: go on with the present one.")
            if kind not in ("match", "none", "unsure") or (kind == "match") != (x is not None):
                raise ValueError("An answer is a partner, none of these, or unsure.")
            free = self.waiting()[1]
            if x is not None and not (0 <= x < len(free) and free[x]):
                raise ValueError("That item already has a partner: choose another one.")
            sides = self.x, self.y
            item = str(sides[self._place].items[question.y])
            partner = None if x is None else str(sides[1 - self._place].items[x])
            of_x, of_y = (item, partner) if self.asked == "x" else (partner, item)
            # What stood on the screen is no guess of anything, so that none of it was refused.
            answer = Answer(screen, of_y, kind, of_x, (), question.sampling, asked=self.asked)
            self.journal.add(answer)
            return answer

    def undo(self, number: int | None = None) -> Answer:
        """Undo the answer of that number, or the last, and ask its question again.

        Raises:
          ValueError: there is no such answer.
        """
        with self._lock:
            return self.journal.undo(number)

    def answers(self) -> list[Answer]:
        """Return the answers that were not undone, the latest first."""
        with self._lock:
            return self.journal.latest()

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of x [p] and of y [p] of all pairs."""
        with self._lock:
            return self.standing.pairs()

    def cosines(self, question: Question) -> np.ndarray:
        """Return no cosines [0]: nothing is fitted yet."""
        return np.zeros(0)

    def first_fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of x and of y of the pairs before the first fit, given or found here."""
        return self.standing.first(self.standing.begun).pairs()

    def begin(self) -> None:
        """Do nothing: there is nothing to fit yet."""

    def wait(self) -> None:
        """Do nothing: nothing runs in the background."""

    def close(self) -> None:
        """Close the files."""
        self.journal.close()

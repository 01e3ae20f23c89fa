"""The first three pairs of a review that begins without an aligner: partners found by words."""

import threading

import numpy as np

from gentle_clip_jax.asking.choose import items_to_ask
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
        items = x if self.asked == "x" else y
        numbers = self.standing.of(self.asked)
        known = [numbers[pair["xy".index(self.asked)]] for pair in journal.given]
        count = min(_MOST, len(items.items) - len(known))
        self._order = items_to_ask(items.means(), count, seed=seed, pairs=known) if count else []

    @property
    def is_done(self) -> bool:
        """Whether there are pairs enough for a fit."""
        return len(self.standing.pairs()[0]) >= PAIRS

    def question(self) -> Question | None:
        """Return the item to ask about, with the first choices in their order, if there is one."""
        with self._lock:
            waiting = self._waiting_to_be_asked()
            free = np.flatnonzero(self._free())
            left = [number for number in self._order if waiting[number]]
            if self.is_done or not left or not len(free):
                return None
            sampling = ASKED if (self._order.index(left[0]) + 1) % 10 else RANDOMLY_ASKED
            choices = tuple(free[:GRID].tolist())
            return Question(self.journal.count + 1, left[0], choices, sampling, self.asked)

    def waiting(self) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of the items to ask about, and of those to choose from."""
        with self._lock:
            return self._waiting_to_be_asked(), self._free()

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
            free = self._free()
            if x is not None and not (0 <= x < len(free) and free[x]):
                raise ValueError("That item already has a partner: choose another one.")
            sides = (self.x, self.y) if self.asked == "x" else (self.y, self.x)
            item = str(sides[0].items[question.y])
            partner = None if x is None else str(sides[1].items[x])
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
            number = max(self.journal.answers, default=0) if number is None else number
            if number not in self.journal.answers:
                raise ValueError("There is no such answer to undo.")
            return self.journal.undo(number)

    def answers(self) -> list[Answer]:
        """Return the answers that were not undone, the latest first."""
        with self._lock:
            return sorted(self.journal.answers.values(), key=lambda answer: -answer.number)

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

    def _free(self) -> np.ndarray:
        unasked, free = self.standing.waiting()
        return unasked if self.asked == "x" else free

    def _waiting_to_be_asked(self) -> np.ndarray:
        """Return a mask of the items asked about that have neither a partner nor an answer."""
        of_x, of_y = self.standing.pairs()
        numbers = self.standing.of(self.asked)
        waiting = np.ones(len(numbers), bool)
        waiting[of_x if self.asked == "x" else of_y] = False
        for answer in self.journal.answers.values():
            if answer.asked == self.asked:
                waiting[numbers[answer.item]] = False
        return waiting

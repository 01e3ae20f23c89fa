"""A review without a page: questions, answers, undo, and refits behind a person's back.

The same seed, answers and fits bring the same screens; when a refit in the background is ready
depends on the machine, and nothing else does.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gentle_clip_jax.data import embeddings
from gentle_clip_jax.review import queue
from gentle_clip_jax.review.background import Background
from gentle_clip_jax.review.journal import KINDS, Answer, Journal, Kind
from gentle_clip_jax.review.sides import Side

REFIT_EVERY = 10  # answers
# From numbers of pairs, of x and of y, to unit rows of all items.
Embed = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Question(NamedTuple):
    """A screen: the number of a y, those of x from the nearest on, and how y was drawn.

    screen: counts the screens that were shown, so that an answer to an old one is noticed.
    """

    screen: int
    y: int
    x: tuple[int, ...]
    drawn: str


class Session:
    """Asks for the partners of y and keeps the answers; safe to use from several threads.

    Args:
      x: the items to choose from.
      y: the items to ask about.
      start: unit rows [n, k] and [m, k] of both, by the aligner.
      journal: the files.
      embed: a refit by pairs; None for a review without refits.
      after_refit: told the pairs (numbers of x, of y, how many stood in the file before) after
        each refit and at the start, in the background.
      seed: of what is drawn at random.
      background: whether refits run in a thread; otherwise `answer` waits for them.

    Raises:
      ValueError: the pairs or the answers are of other items.
    """

    def __init__(
        self,
        x: Side,
        y: Side,
        start: tuple[np.ndarray, np.ndarray],
        journal: Journal,
        *,
        embed: Embed | None = None,
        after_refit: Callable[[np.ndarray, np.ndarray, int], None] | None = None,
        seed: int = 0,
        background: bool = True,
    ):
        self.x, self.y, self.journal, self.seed = x, y, journal, seed
        self._embed, self._after_refit, self._background = embed, after_refit, background
        self._lock, self._screen = threading.RLock(), 0
        self._again: list[tuple[int, str]] = []
        self._of_x = {id_: i for i, id_ in enumerate(x.ids.tolist())}
        self._of_y = {id_: i for i, id_ in enumerate(y.ids.tolist())}
        now = embeddings.read_pairs(journal.pairs, x.ids, y.ids)
        for answer in journal.answers.values():
            self._check(answer, str(journal.log))
        confirmed = sum(answer.kind == "match" for answer in journal.answers.values())
        self.known = now[: len(now) - confirmed]
        self.ranking = queue.ranked(*start, self.waiting()[1], seed=seed)
        self._refitted, self._since = len(self.known), 0
        self._tasks = Background()
        self._question = self._next()

    def question(self) -> Question | None:
        """The screen that waits for an answer; None if every y has one."""
        with self._lock:
            return self._question

    def following(self) -> tuple[int, tuple[int, ...]] | None:
        """The likely next y and its x, to load their pictures ahead."""
        with self._lock:
            chosen = self._chosen(self._question.y if self._question else None)
            return chosen and (chosen[0], self._grid(chosen[0]))

    def answer(self, screen: int, kind: Kind, x: int | None = None) -> Answer:
        """Keeps the answer to the present screen, and goes on to the next.

        Args:
          screen: the number of the question.
          kind: "match" with a number x of the grid, "none" of these, or "unsure".

        Raises:
          ValueError: the question is another one by now, or x is not in its grid.
        """
        with self._lock:
            question = self._question
            if question is None or question.screen != screen:
                raise ValueError("This screen was answered already: go on with the present one.")
            if kind not in KINDS or (kind == "match") != (x is not None):
                raise ValueError("An answer is a partner, none of these, or unsure.")
            if x is not None and x not in question.x:
                raise ValueError("This partner is not in the grid: choose one that is.")
            answer = self._described(question, kind, x)
            self.journal.add(answer)
            self._question = self._next()
            self._refit_if_due()
        if not self._background:
            self.wait()
        return answer

    def undo(self, number: int | None = None) -> Answer:
        """Takes the answer of that number back, or the last, and asks its question again.

        Raises:
          ValueError: there is no such answer.
        """
        with self._lock:
            standing = self.journal.answers
            if number is None:
                number = max(standing, default=0)
            if number not in standing:
                raise ValueError("There is no such answer to undo.")
            answer = self.journal.undo(number)
            self._again.append((self._of_y[answer.y], answer.drawn))
            self._question = self._next()
            return answer

    def answers(self) -> list[Answer]:
        """The answers that stand, the latest first."""
        with self._lock:
            return sorted(self.journal.answers.values(), key=lambda answer: -answer.number)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of x [p] and of y [p] of all pairs; those that were known before come first."""
        with self._lock:
            matched = [a for a in self.journal.answers.values() if a.kind == "match"]
            x = [self._of_x[id_] for id_ in [*self.known[:, 0], *(a.x for a in matched)]]
            y = [self._of_y[id_] for id_ in [*self.known[:, 1], *(a.y for a in matched)]]
            return np.array(x, int), np.array(y, int)

    def take(self, answer: Answer) -> bool:
        """Keeps an answer that was given elsewhere, unless its y or x has a partner by now.

        Raises:
          ValueError: it is of other items.
        """
        with self._lock:
            self._check(answer, "The file of answers")
            unasked, free = self.waiting()
            taken = answer.x is not None and not free[self._of_x[answer.x]]
            if taken or not unasked[self._of_y[answer.y]]:
                return False
            self.journal.add(answer._replace(number=self.journal.count + 1))
            self._question = self._next()
            return True

    def waiting(self) -> tuple[np.ndarray, np.ndarray]:
        """Which y [m] have neither an answer nor a partner, and which x [n] have no partner."""
        with self._lock:
            asked = [answer.y for answer in self.journal.answers.values()]
            unasked, free = np.ones(len(self.y.ids), bool), np.ones(len(self.x.ids), bool)
            unasked[[self._of_y[id_] for id_ in (*self.known[:, 1], *asked)]] = False
            free[self.pairs()[0]] = False
            return unasked, free

    def begin(self) -> None:
        """Tells `after_refit` of the pairs as they are, in the background."""
        self._tasks.submit(self._after_refit, *self.pairs(), len(self.known))

    def wait(self) -> None:
        """Until what runs in the background is done; raises what it raised."""
        self._tasks.wait()

    def close(self) -> None:
        """Waits for the refit under way and closes the files."""
        self._tasks.close()
        self.journal.close()

    def _described(self, question: Question, kind: Kind, x: int | None) -> Answer:
        shown = tuple(self.x.ids[list(question.x)].tolist())
        y, number = str(self.y.ids[question.y]), self.journal.count + 1
        answer = Answer(number, y, kind, shown=shown, drawn=question.drawn)
        if x is None:
            return answer
        cosine = float(self.ranking.x[x] @ self.ranking.y[question.y])
        rank = question.x.index(x) + 1
        return answer._replace(x=str(self.x.ids[x]), rank=rank, cosine=round(cosine, 4))

    def _next(self) -> Question | None:
        chosen = self._chosen(None)
        if chosen is None:
            return None
        self._screen += 1
        y, drawn = chosen
        return Question(self._screen, y, self._grid(y), drawn)

    def _chosen(self, but: int | None) -> tuple[int, str] | None:
        """The next y; the next after that one, if one is given."""
        unasked, free = self.waiting()
        place = len(self.journal.answers)
        if but is not None:
            unasked[but], place = False, place + 1
        else:
            while self._again and not unasked[self._again[-1][0]]:
                self._again.pop()
            if self._again:
                return self._again[-1]
        if not unasked.any() or not free.any():
            return None
        return queue.next_item(self.ranking, unasked, place, seed=self.seed)

    def _grid(self, y: int) -> tuple[int, ...]:
        return tuple(queue.grid(self.ranking, y, self.waiting()[1]).tolist())

    def _refit_if_due(self) -> None:
        self._since += 1
        of_x, of_y = self.pairs()
        due = self._since >= REFIT_EVERY and len(of_x) > max(self._refitted, 1)
        if due and self._embed and self._tasks.submit(self._run_refit, of_x, of_y):
            self._refitted, self._since = len(of_x), 0

    def _run_refit(self, of_x: np.ndarray, of_y: np.ndarray) -> None:
        assert self._embed is not None
        ranking = queue.ranked(*self._embed(of_x, of_y), self.waiting()[1], seed=self.seed)
        with self._lock:  # the screen that is shown stays as it is
            self.ranking = ranking
            self._tasks.submit(self._after_refit, of_x, of_y, len(self.known))

    def _check(self, answer: Answer, where: str) -> None:
        of_x = (*answer.shown, answer.x) if answer.x is not None else answer.shown
        if answer.y not in self._of_y or not self._of_x.keys() >= set(of_x):
            raise ValueError(
                f"{where} is of other items ({answer.y}): move it away, or give the x and y that "
                "it was made with."
            )

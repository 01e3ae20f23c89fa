"""A review without a page: questions, answers, undo, and refits in the background.

The same seed and answers give the same screens, also after an interruption; only the moment when a
background refit is ready depends on the machine.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import queue
from gentle_clip_jax.reviewing.background import Background
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.log import KINDS, WITH_PARTNER, Answer, Kind
from gentle_clip_jax.reviewing.queue import Mode, Question
from gentle_clip_jax.reviewing.schedule import Embed, FittedTo, Schedule
from gentle_clip_jax.reviewing.standing import Standing

AfterRefit = Callable[[np.ndarray, np.ndarray, np.ndarray, int], None]


class Session:
    """Asks for the partners of y and logs the answers; safe to use from several threads.

    Args:
      x: the items to choose from.
      y: the items to ask about.
      start: unit rows [n, k] and [m, k] of both, by the aligner.
      journal: the files.
      own: unit rows of both by their own features, used to choose ten different items; those of
        `start` if not given.
      embed: function that refits to pairs; None for a review without refits.
      after_refit: called after each refit and at the start, with what it fitted to and the number
        of pairs known before.
      seed: of random choices.
      background: whether refits run in a thread; otherwise `answer` waits for them.
      fitted: number of pairs of `start`, if there are others than those known before.

    Raises:
      ValueError: the pairs or the answers are of other items.
    """

    def __init__(
        self,
        x: Collection,
        y: Collection,
        start: tuple[np.ndarray, np.ndarray],
        journal: Journal,
        *,
        own: tuple[np.ndarray, np.ndarray] | None = None,
        embed: Embed | None = None,
        after_refit: AfterRefit | None = None,
        seed: int = 0,
        background: bool = True,
        fitted: int | None = None,
    ):
        self.x, self.y, self.journal, self.seed = x, y, journal, seed
        self._embed, self._after_refit, self._background = embed, after_refit, background
        self._lock, self._screen = threading.RLock(), 0
        self._again: list[tuple[int, str]] = []
        self.standing = Standing(x, y, journal)
        self.mode: Mode = "grid"
        then = self.standing if background else self.standing.first(0)
        self.ranking = self._asked_by = queue.ranked(*start, then.waiting()[1], seed=seed)
        self.first = self.ranking  # of the first fit, to show what the answers changed
        self._groups = [queue.clusters(rows, seed=seed) for rows in own or start]
        fitted = len(self.standing.known) if fitted is None else fitted
        self._schedule, self._tasks = Schedule(fitted, self.standing.begun), Background()
        self._question = self._next()

    def question(self) -> Question | None:
        """Return the screen that waits for an answer, if there is one."""
        with self._lock:
            return self._question

    def following(self) -> tuple[int, tuple[int, ...]] | None:
        """Return the likely next y and its x, to load their pictures ahead."""
        with self._lock:
            chosen = self._chosen(self._question)
            return chosen and (chosen[0], self._choices(*chosen))

    def switch(self, mode: Mode) -> None:
        """Ask for the partner above a "grid", or for the closest of "ten"."""
        with self._lock:
            if mode != self.mode:
                self.mode, self._again = mode, []
                self._question = self._next()

    def answer(self, screen: int, kind: Kind, x: int | None = None) -> Answer:
        """Log the answer to the present screen, and return it; the next screen follows.

        Args:
          screen: the number of the question.
          kind: "match" with the number of an x, which need not be in the grid; "near" with one of
            ten; "none" of these, or "unsure".

        Raises:
          ValueError: another question is open by now, or x cannot be chosen.
        """
        with self._lock:
            question = self._question
            if question is None or question.screen != screen:
                raise ValueError("This screen was answered already: go on with the present one.")
            wrong = "match" if question.sampling == "ten" else "near"
            if kind not in KINDS or kind == wrong or (kind in WITH_PARTNER) != (x is not None):
                raise ValueError("An answer is a partner, none of these, or unsure.")
            if x is not None and x not in question.x:
                free, words = self.waiting()[1], "already has a partner or is not on this screen"
                if kind == "near" or not 0 <= x < len(free) or not free[x]:
                    raise ValueError(f"That item {words}: choose one that is shown.")
            answer = self._described(question, kind, x)
            self.journal.add(answer)
            self._question = self._next()
            if self._embed and (due := self._schedule.due(self.standing)):
                self._refit(due)
        if not self._background:
            self.wait()
        return answer

    def undo(self, number: int | None = None) -> Answer:
        """Undo the answer of that number, or the last, and ask its question again.

        Raises:
          ValueError: there is no such answer.
        """
        with self._lock:
            answer = self.journal.undo(number)
            if answer.asked == "y":
                self._again.append((self.standing.of_y[answer.item], answer.sampling))
            self._question = self._next()
            return answer

    def answers(self) -> list[Answer]:
        """Return the answers that were not undone, the latest first."""
        with self._lock:
            return self.journal.latest()

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers of x [p] and of y [p] of all pairs; those known before come first."""
        with self._lock:
            return self.standing.pairs()

    def waiting(self) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of y [m] without grid answer and partner, and of x [n] without partner."""
        with self._lock:
            return self.standing.waiting()

    def cosines(self, question: Question) -> np.ndarray:
        """Return the cosines [k] of the choices of the present question with its y."""
        return self._asked_by.x[list(question.x)] @ self._asked_by.y[question.y]

    def begin(self) -> None:
        """Refit to all earlier answers as an uninterrupted review would, or measure the start."""
        with self._lock:
            fitted_to = self.standing.fitted_to()
            if self._embed and not self._background and self.journal.answers:
                self._go_on()
            elif self._embed and self._schedule.has_more(fitted_to):
                self._refit(fitted_to)
            else:
                self._tasks.submit(self._after_refit, *fitted_to, len(self.standing.known))

    def wait(self) -> None:
        """Wait for refits in the background, and raise what they raised."""
        self._tasks.wait()

    def close(self) -> None:
        """Wait for the running refit and close the files."""
        self._tasks.close()
        self.journal.close()

    def _described(self, question: Question, kind: Kind, x: int | None) -> Answer:
        shown = tuple(self.x.items[list(question.x)].tolist())
        y, number = str(self.y.items[question.y]), self.journal.count + 1
        answer = Answer(number, y, kind, shown=shown, sampling=question.sampling)
        if x is None:
            return answer
        cosine = float(self._asked_by.x[x] @ self._asked_by.y[question.y])
        rank = question.x.index(x) + 1 if x in question.x else None
        return answer._replace(x=str(self.x.items[x]), rank=rank, cosine=round(cosine, 4))

    def _next(self) -> Question | None:
        chosen = self._chosen(None)
        if chosen is None:
            return None
        self._screen, self._asked_by = self._screen + 1, self.ranking
        y, sampling = chosen
        return Question(self._screen, y, self._choices(y, sampling), sampling)

    def _chosen(self, but: Question | None) -> tuple[int, str] | None:
        """Return the next y and how it was chosen; the next after a question, if one is given."""
        (unasked, free), place = self.standing.waiting(self.mode), self.standing.place(self.mode)
        if but is not None:
            unasked[but.y], place = False, place + 1
        else:
            while self._again:
                y, sampling = self._again[-1]
                if self.standing.waiting(queue.kind_of_screen(sampling))[0][y]:
                    return y, sampling
                self._again.pop()
        if not unasked.any() or not free.any():
            return None
        if self.mode == "ten":
            return queue.next_of_ten(self._groups[1], unasked, place, seed=self.seed)
        return queue.next_item(self.ranking, unasked, place, seed=self.seed)

    def _choices(self, y: int, sampling: str) -> tuple[int, ...]:
        free = self.waiting()[1]
        if sampling == "ten":
            return tuple(queue.ten(self.ranking, y, free, self._groups[0]).tolist())
        return tuple(queue.grid(self.ranking, y, free).tolist())

    def _refit(self, fitted_to: FittedTo) -> None:
        if self._tasks.submit(self._run_refit, *fitted_to):
            self._schedule.made(fitted_to)

    def _go_on(self) -> None:
        """Refit and ask as an uninterrupted review would; the open question stays."""
        for place, fitted_to in self._schedule.past(self.standing)[-2:]:
            self._rank(self.standing.first(place), fitted_to)
            if place < len(self.journal.answers):
                self._question = self._next()

    def _run_refit(self, *fitted_to: np.ndarray) -> None:
        self._rank(self.standing, fitted_to)
        with self._lock:
            self._tasks.submit(self._after_refit, *fitted_to, len(self.standing.known))

    def _rank(self, standing: Standing, fitted_to: Sequence[np.ndarray]) -> None:
        assert self._embed is not None
        rows = self._embed(*fitted_to)
        with self._lock:
            free = standing.waiting()[1]
        ranking = queue.ranked(*rows, free, seed=self.seed)
        with self._lock:  # the screen that is shown stays as it is
            self.ranking = ranking

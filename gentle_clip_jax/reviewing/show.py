"""Items as the page shows them: texts, a picture, or a name with the nearest pairs."""

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.pages import Step
from gentle_clip_jax.reviewing.finding import Finder
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.log import ASKED, RANDOMLY_ASKED, Answer
from gentle_clip_jax.reviewing.pictures import Pictures
from gentle_clip_jax.reviewing.progress import counts, estimate
from gentle_clip_jax.reviewing.queue import GRID, Question
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.searching.opened import other

_NEAR, _HITS = 3, 24


class Show:
    """Items of a session, ready for JSON.

    pictures: of each side, None for one without. finder: search by words, or None. aligner: the
    folder of the aligner, for the commands of the next steps.
    """

    def __init__(
        self,
        session: Session | FirstPairs,
        pictures: Mapping[str, Pictures | None] = {},
        finder: Finder | None = None,
        aligner: str = "aligner",
    ):
        self.session, self.pictures, self.finder = session, pictures, finder
        self.aligner = shlex.quote(aligner)

    def picture(self, side: str, number: int) -> bytes:
        """Return the JPEG file of an item.

        Raises:
          KeyError: there is no such item, or it has no picture.
          ValueError: its picture is unreadable.
        """
        of, pictures = self._side(side), self.pictures.get(side)
        if pictures is None or not 0 <= number < len(of.items):
            raise KeyError(number)
        return pictures.thumbnail(str(of.items[number]))

    def item(self, side: str, number: int) -> dict[str, Any]:
        """Return {"texts"}, {"picture": address, "name"} or {"name", "label"} of an item."""
        of = self._side(side)
        if of.item_texts[number]:
            return {"texts": list(dict.fromkeys(of.item_texts[number]))}
        name, pictures = str(of.items[number]), self.pictures.get(side)
        if pictures is not None and name in pictures:
            return {"picture": f"/thumb/{side}/{number}", "name": name}
        return {"name": name, "label": of.item_labels[number]}

    def ask(self, question: Question | None) -> str:
        """Return the sentence above a question."""
        asked = question.asked if question else "y"
        item, choice = self._kind(asked), self._kind(other(asked))
        if question and question.sampling == "ten":
            return f"Which of these different {choice}s is closest to this {item}?"
        if question and question.sampling in (ASKED, RANDOMLY_ASKED):
            return (
                f"Which {choice} belongs to this {item}? Find it by words, or look through all. "
                "From three pairs on, likely ones are suggested."
            )
        return f"Which {choice} belongs to this {item}?"

    def items(self, side: str) -> str:
        """Return the plural name of the items of a modality."""
        kind = self._kind(side)
        return (
            f"{kind}s" if kind != self._kind("y" if side == "x" else "x") else f"{kind}s of {side}"
        )

    def question(self, question: Question) -> dict[str, Any]:
        """Return a screen: the item asked about, and the choices."""
        item = self.item(question.asked, question.y)
        if "label" in item:
            item["near"] = self._near(question.y)
        return {
            "screen": question.screen,
            "ten": question.sampling == "ten",
            "first": self.session.ranking is None,
            "item": item,
            "choices": self.choices(question.x, other(question.asked)),
        }

    def choices(self, numbers: Iterable[int], side: str = "x") -> list[dict[str, Any]]:
        """Return items of a modality with their numbers."""
        return [{"number": number, **self.item(side, number)} for number in numbers]

    def found(self, words: str, start: int = 0) -> list[dict[str, Any]]:
        """Return the free choices that fit some words best.

        Without words before the first fit, they are all choices in their order.

        Args:
          words: what is looked for.
          start: how many of the choices to leave out.

        Raises:
          ValueError: see `Finder.words`, or there is no search.
        """
        question, free = self.session.question(), np.flatnonzero(self.session.waiting()[1])
        side = other(question.asked) if question else "x"
        if words.strip() or self.session.ranking is not None:
            if self.finder is None:
                raise ValueError("There is nothing to search by here.")
            scores = self.finder.words(words)[side]
            free = free[scores[free] > scores.min(initial=0)]
            free = free[np.argsort(-scores[free], kind="stable")]
        return self.choices(free[start : start + GRID].tolist(), side)

    def hits(self, side: str, scores: np.ndarray, but: int | None = None) -> list[dict[str, Any]]:
        """Return the items of a modality with the highest scores, except `but`, with scores."""
        best = np.argsort(-scores, kind="stable")
        best = best[best != but][:_HITS] if but is not None else best[:_HITS]
        return [
            {**self.item(side, n), "like": f"{side}-{n}", "score": float(scores[n])}
            for n in best.tolist()
            if scores[n] > 0
        ]

    def answer(self, answer: Answer) -> dict[str, Any]:
        """Return a line of the latest answers, with the rank and cosine of the partner."""
        numbers = self.session.standing
        found: dict[str, Any] = {
            "number": answer.number,
            "kind": answer.kind,
            "item": self.item(answer.asked, numbers.of(answer.asked)[answer.item]),
        }
        if answer.partner is not None:
            side = other(answer.asked)
            partner = self.item(side, numbers.of(side)[answer.partner])
            found |= {"partner": partner, "rank": answer.rank, "cosine": answer.cosine}
        return found

    def state(self) -> dict[str, Any]:
        """Return all that the page shows."""
        question, ahead = self.session.question(), self.session.following()
        items = [self.item("x", number) for number in ahead[1]] if ahead else []
        if ahead:
            items.append(self.item("y", ahead[0]))
        return {
            "ask": self.ask(question),
            "mode": self.session.mode,
            "question": self.question(question) if question else None,
            "message": None if question else self.nothing_left(),
            "notice": self.session.journal.behind or self._stop(),
            "counts": counts(self.session),
            "answers": [self.answer(answer) for answer in self.session.answers()[:10]],
            "ahead": [item["picture"] for item in items if "picture" in item],
        }

    def _stop(self) -> str | None:
        """Return the warning that partners rank as by chance, unless it is too early to tell."""
        warning = (estimate(self.session) or {}).get("warning")
        return None if warning is None or warning.startswith("Too early") else warning

    def nothing_left(self) -> str:
        """Return the sentence shown when no question is left."""
        found = counts(self.session)
        if self.session.mode != "grid" and found["left"]:
            return "You have answered every screen of ten: continue with the grid."
        if found["left"]:
            return "Every item of x has a partner now, so that no candidate is left."
        if not self.session.answers():
            return "Every item of y already has a partner: there is nothing to do."
        return f"You have answered every screen. {self.session.journal.pairs} holds your pairs."

    def next_steps(self) -> list[Step]:
        """Return the next steps with the pairs so far."""
        places = {"x": self._side("x").path or "X", "y": self._side("y").path or "Y"}
        places["pairs"] = self.session.journal.pairs
        data = " ".join(f"--{name}={shlex.quote(str(path))}" for name, path in places.items())
        return [
            Step(
                "With enough pairs, fit an aligner to all of them; held-out recall shows the gain.",
                f"gentle-clip align {data} --out={self.aligner}",
            ),
            Step(
                "Then match every other item of x. --share=0.8 says that four of five have a "
                "partner: give your own estimate, for probabilities.",
                f"gentle-clip match --aligner={self.aligner} {data} --share=0.8 --out=matches",
            ),
        ]

    def _near(self, y: int) -> list[str]:
        """Return sentences on the nearest y with a partner."""
        of_x, of_y = self.session.pairs()
        if not len(of_y):
            return []
        ranking = self.session.ranking
        if ranking is None:
            return []
        nearest = np.argsort(-(ranking.y[of_y] @ ranking.y[y]), kind="stable")[:_NEAR]
        ids = self.session.y.items[of_y[nearest]], self.session.x.items[of_x[nearest]]
        return [f"{of} belongs to {partner}" for of, partner in zip(*ids)]

    def _side(self, side: str) -> Collection:
        return {"x": self.session.x, "y": self.session.y}[side]

    def _kind(self, side: str) -> str:
        if any(self._side(side).item_texts):
            return "text"
        return "picture" if self.pictures.get(side) else "item"

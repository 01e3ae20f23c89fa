"""Schedule of the refits of a review: after every ten answers, if pairs were added."""

from collections.abc import Callable

import numpy as np

from gentle_clip_jax.reviewing.standing import Standing

REFIT_EVERY = 10  # answers
_LEAST = 12  # pairs of a refit where the first fit had none: names of classes say more than fewer
FittedTo = tuple[np.ndarray, np.ndarray, np.ndarray]  # see `Standing.fitted_to`
# From numbers of pairs, of x and of y, and the weight of each to unit rows of all items.
Embed = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Schedule:
    """Counter of answers and pairs.

    Args:
      fitted: number of pairs of the first fit.
      begun: number of answers before it.
    """

    def __init__(self, fitted: int, begun: int = 0):
        self._pairs, self._answers, self._begun = fitted or _LEAST - 1, 0, begun

    def has_more(self, fitted_to: FittedTo) -> bool:
        """Return whether there are more pairs than at the last refit, and enough for a refit."""
        return len(fitted_to[0]) > max(self._pairs, 1)

    def due(self, standing: Standing) -> FittedTo | None:
        """Count an answer; return the pairs to refit to now, None if no refit is due."""
        self._answers += 1
        if self._answers < REFIT_EVERY:
            return None
        fitted_to = standing.fitted_to()
        return fitted_to if self.has_more(fitted_to) else None

    def made(self, fitted_to: FittedTo) -> None:
        """Record that a refit was made or has begun."""
        self._pairs, self._answers = len(fitted_to[0]), 0

    def past(self, standing: Standing) -> list[tuple[int, FittedTo]]:
        """Count all answers; return the refits due by then: after how many answers, and to what."""
        refits = []
        for place in range(self._begun + 1, standing.count + 1):
            if fitted_to := self.due(standing.first(place)):
                refits.append((place, fitted_to))
                self.made(fitted_to)
        return refits

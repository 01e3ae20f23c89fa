"""One to one: no item is in two matches."""

import numpy as np

from gentle_clip_jax.matching.held_out import Rows
from gentle_clip_jax.matching.nearest import Nearest, paired


def assign(
    rows: Rows, of_x: Nearest, of_y: Nearest, temperatures: tuple[float, float]
) -> np.ndarray:
    """The item of y [n] for each item of x, -1 for none; no item of y comes twice.

    The pair with the largest p(y | x) p(x | y) is taken first, then the largest of what is left,
    and so on, among the 48 nearest of either modality. On made-up sets of 1,300 items this was as
    often right as the assignment of the largest sum, which takes minutes where this takes seconds.

    Args:
      rows: of all items.
      of_x: the nearest y of each x; of_y: the nearest x of each y.
      temperatures: that from x to y, and that from y to x.
    """
    (n, of_each_x), (m, of_each_y) = of_x.index.shape, of_y.index.shape
    asks_x = np.repeat(np.arange(n), of_each_x), of_x.index.ravel()
    asks_y = np.repeat(np.arange(m), of_each_y), of_y.index.ravel()
    x, y = np.concatenate([asks_x[0], asks_y[1]]), np.concatenate([asks_x[1], asks_y[0]])
    to_y = [of_x.cosine.ravel(), paired(rows.x, rows.ranked_y, asks_y[::-1])]
    to_x = [paired(rows.y, rows.ranked_x, asks_x[::-1]), of_y.cosine.ravel()]
    score = np.concatenate(to_y) / temperatures[0] - of_x.log_total[x]
    score += np.concatenate(to_x) / temperatures[1] - of_y.log_total[y]
    found, free = np.full(n, -1), np.ones(m, bool)
    for i in np.argsort(-score, kind="stable"):
        if found[x[i]] < 0 and free[y[i]]:
            found[x[i]], free[y[i]] = y[i], False
    return found

"""Every method finds most partners of new items on two noisy views of points around centres."""

import numpy as np
import pytest

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.evaluation.cross_validation import partner_ranks

FAST = ("cca", "relative", "transported_cca", "gentle_transport")
# Of 20 items by chance 0.27. Smoothing makes the items of these few clusters more alike.
LEAST = {"gentle_transport": 0.55}


def views():
    """60 items to fit to, of which the first 30 are pairs, and 20 to test."""
    rng = np.random.default_rng(0)
    centres, to_x, to_y = (rng.normal(size=shape) for shape in ((8, 6), (6, 10), (6, 7)))
    latent = centres[rng.integers(8, size=80)] + 0.3 * rng.normal(size=(80, 6))
    return np.float32(latent @ to_x), np.float32(latent @ to_y)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
        for name in METHODS
        if not METHODS[name].named
    ],
)
def test_every_method_finds_most_partners(name):
    x, y = views()
    if METHODS[name].shared:  # both views of one space
        y = x + np.float32(0.3 * np.random.default_rng(2).normal(size=x.shape))
    shuffled = np.random.default_rng(1).permutation(np.arange(30, 60))
    problem = Problem(x[:30], y[:30], x[30:60], y[shuffled])
    aligner = METHODS[name].fit(problem)
    ranks = np.asarray(partner_ranks(aligner, x[60:], y[60:], 20))
    recall = np.mean([ranks <= top for top in (1, 5, 10)])
    assert recall > LEAST.get(name, 0.75)

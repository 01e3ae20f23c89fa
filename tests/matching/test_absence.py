"""Items without a partner: their probability means what it says, and the share is not made up."""

import numpy as np
import pytest
from match_data import pairs, sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.absence import no_partner, share_interval, share_sentence

K, N, PARTNERS = 100, 500, 300


def matched(noise, share, seed=0):
    """Matches of 400 items, the first 200 of which have a partner."""
    x, y = sets(N, noise=noise, seed=seed, hidden=10)
    y = y[:PARTNERS]
    fitted = METHODS["cca"].fit(Problem(x[:K], y[:K], x[K:], y[K:]))
    return match_arrays(fitted, x, y, pairs=pairs(K), share=share)


def test_clear_partners_and_missing_ones_are_told_apart():
    found = matched(0.05, 0.5)
    is_missing = found.x >= PARTNERS
    assert found.no_partner[is_missing].mean() > 0.7
    assert found.no_partner[~is_missing].mean() < 0.3
    assert found.no_partner.mean() == pytest.approx(0.5, abs=1e-6)
    brier = np.mean((found.no_partner - is_missing) ** 2)
    assert brier < 0.15  # 0.25 without any evidence


def test_where_nothing_tells_them_apart_every_item_gets_the_share():
    rng = np.random.default_rng(0)
    nearest, present, absent = rng.random((3, 300))
    probability = no_partner(nearest, present, absent, 0.7)
    np.testing.assert_allclose(probability, 0.3, atol=0.1)
    assert probability.mean() == pytest.approx(0.3, abs=1e-6)
    assert share_interval(nearest, present, absent) == (0, 1)
    assert (no_partner(nearest, present, absent, 1) == 0).all()


def test_a_higher_probability_of_the_nearest_never_makes_a_partner_less_likely():
    rng = np.random.default_rng(1)
    nearest = np.linspace(0, 1, 50)
    present, absent = rng.beta(2, 5, 60), rng.beta(5, 2, 60)  # the wrong way round
    assert (np.diff(no_partner(nearest, present, absent, 0.5)) <= 1e-12).all()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_the_interval_has_the_share(share):
    rng, held, widths = np.random.default_rng(2), [], []
    for _ in range(100):
        present, absent = rng.beta(5, 2, 150), rng.beta(2, 5, 150)
        n = int(share * 400)
        nearest = np.concatenate([rng.beta(5, 2, n), rng.beta(2, 5, 400 - n)])
        low, high = share_interval(nearest, present, absent)
        held.append(low <= share <= high)
        widths.append(high - low)
    assert np.mean(held) >= 0.95
    assert np.mean(widths) < 0.5


def test_items_unlike_held_out_ones_have_no_interval():
    held_out = np.linspace(0.4, 0.6, 100)
    assert share_interval(np.full(100, 0.99), held_out, held_out) is None


@pytest.mark.parametrize(
    ("share", "likely", "sentence"),
    [
        (None, None, " Held-out pairs cannot tell how many have one."),
        (None, (0.2, 0.9), " Held-out pairs cannot tell how many have one."),
        (None, (0.4, 0.6), " Held-out pairs suggest that 40 to 60 % of the items of x have a pa"),
        (0.95, (0.4, 0.6), " Held-out pairs suggest that 40 to 60 % of the items of x have a pa"),
        (0.5, (0.4, 0.6), ""),
        (0.5, None, ""),
        (0.5, (0.6, 1.0), " Held-out pairs suggest that 60 to 100 % of the items of x have a pa"),
        (0.5, (0.4, 1.0), ""),
    ],
)
def test_the_sentence_on_the_share(share, likely, sentence):
    assert share_sentence(share, likely).startswith(sentence)
    assert bool(share_sentence(share, likely)) == bool(sentence)


def test_a_share_that_is_not_likely_is_told():
    found = matched(0.05, 1)
    assert "Held-out pairs suggest that" in found.summary
    assert found.summary.endswith("have a partner, not 100 %.")
    low, high = found.likely_share
    assert low <= 0.5 <= high
    assert found.metadata["likely_share"] == (low, high)


def test_below_60_pairs_nothing_is_shown():
    x, y = sets(200, noise=0.5)
    fitted = METHODS["cca"].fit(Problem(x[:40], y[:40], x[40:], y[40:]))
    found = match_arrays(fitted, x, y, pairs=pairs(40), share=0.5)
    assert np.isnan(found.no_partner).all()
    assert found.likely_share is None

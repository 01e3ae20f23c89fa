"""The fair sample: pairs that were not drawn at random decide nothing where others suffice."""

import jax
import numpy as np
import pytest
from match_data import sets

from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.fair_pairs import Fair, fair_evidence, fair_pairs
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.features.origins import Origins
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.accepted import listed_pairs
from gentle_clip_jax.matching.calibrated import calibrate
from gentle_clip_jax.matching.fair import like_missed
from gentle_clip_jax.matching.item_sets import why_none

IDS = np.array([f"x{i}" for i in range(200)])
ITEMS = dict(zip(IDS.tolist(), IDS.tolist()))


def lines(numbers, word):
    return tuple((f"x{i}", f"y{i}", word) for i in numbers)


def sample(*some, missed=0):
    every = [*(line for of in some for line in of), *[("", "z", "random")] * missed]
    return fair_pairs(Origins(tuple(every)), IDS, ITEMS)


def test_pairs_drawn_at_random_count_alone_from_60_on():
    found = sample(lines(range(60), "random"), lines(range(60, 100), "asked"), missed=9)
    assert np.flatnonzero(found.rows).tolist() == [*range(60)]
    assert (found.drawn, found.missed) == (60, 9)
    assert sample(lines(range(3), "random"), missed=57).rows.sum() == 3
    for random, missed in ((59, 0), (3, 56), (2, 99)):
        fewer = sample(
            lines(range(random), "random"), lines(range(60, 100), "asked"), missed=missed
        )
        assert np.flatnonzero(fewer.rows).tolist() == [*range(60), *range(100, 200)]
    assert sample().rows.all()


def test_an_item_of_several_pairs_is_chosen_if_one_of_them_is():
    """Two photographs of an object: what `read_matched` joins has the id of the first."""
    joined = {"a1": "a1", "a2": "a1", "b": "b"}
    some = (("a1", "s", "random"), ("b", "t", "random"), ("a2", "s", "asked"), ("c", "u", "asked"))
    found = fair_pairs(Origins(some), np.array(["a1", "b"]), joined)
    assert found.rows.tolist() == [False, True]
    assert found.drawn == 1


def test_pairs_that_a_review_chose_later_are_counted():
    review = *lines([0], "random"), *lines([1, 2], "reviewed"), *lines([3], "random")
    review += ("", "z", "random"), *lines([4], "reviewed")
    found = sample(lines([8], "asked"), lines([9], "random"), review)
    assert found.later[[0, 3, 9, 10]].tolist() == [3, 1, 3, 3]  # 10: from before the review
    assert np.flatnonzero(found.reviewed).tolist() == [1, 2, 4]
    assert found.of_missed.tolist() == [1]
    # 3 of 100 + 3 items for each pair of before the review, and less for the others.
    assert found.taken(100) == round((194 + 1) * 3 / 103 + 2 * 1 / 101)


def test_of_a_review_the_latest_random_screens_count():
    """100 items are drawn at random, every second of which is found, and 100 chosen in between."""
    screens = []
    for i in range(100):
        screens += [("" if i % 2 else f"x{i}", f"y{i}", "random"), *lines([100 + i], "reviewed")]
    found = sample(screens)
    assert np.flatnonzero(found.rows).tolist() == [*range(40, 100, 2)]
    assert found.of_missed.tolist() == [*range(1, 60, 2)]
    assert sample(screens, lines(range(100), "random")).rows.sum() == 100  # all after the review


@pytest.mark.parametrize(("reviewed", "count"), [(100, 100), (101, 0)])
def test_pairs_of_before_a_review_count_unless_it_chose_more(reviewed, count):
    assert sample(lines(range(reviewed), "reviewed")).rows.sum() == count


def test_missed_items_count_as_far_as_they_have_a_partner():
    fair = fair_of(60, 140, missed=40)
    assert fair.missed_partners(1.0, 1000, 1000) == 40
    # Of y, (0.7 * 1000 + 200) / (1000 + 200) had a partner: 75 of the 100 that were asked about.
    assert fair.missed_partners(0.7, 1000, 1000) == 15
    assert fair.missed_partners(0.1, 1000, 1000) == 0
    assert fair.missed_partners(1.0, 5000, 1000) == 40  # never more than there are


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_missed_items_have_the_scores_that_found_ones_lack(share):
    rng = np.random.default_rng(0)
    found, missed, absent = (
        rng.uniform(0.5, 1, 300),
        rng.uniform(0, 0.6, 100),
        rng.uniform(0, 0.3, 400),
    )
    parts = [found, missed] if share == 1 else [found, missed, absent]
    every = np.append(np.repeat(np.concatenate(parts), 3), np.nan)  # NaN: without a match
    chosen = np.nan_to_num(every[like_missed(found, every, 100, share)])
    assert len(chosen) == 100
    assert chosen.max() < 0.65
    if share == 1:
        assert chosen.mean() == pytest.approx(missed.mean(), abs=0.03)
    assert len(like_missed(found, every, 0, share)) == 0


@pytest.fixture(scope="module")
def made():
    """600 items, of which the first 200 are easy: their two views have less noise."""
    x, y = sets(600, noise=0.2, hidden=8)
    rng = np.random.default_rng(1)
    noise = np.where(np.arange(600) < 200, 0.1, 1.5)[:, None]
    return x, (y + noise * rng.normal(size=y.shape)).astype(np.float32)


def matched(made, pairs, fair, **settings):
    x, y = made
    rest = np.setdiff1d(np.arange(600), pairs)
    aligner = METHODS["cca"].fit(Problem(x[pairs], y[pairs], x[rest], y[rest]))
    both = np.stack([pairs, pairs], axis=1)
    settings = {"share": 1.0, "with_outcomes": True, **settings}
    return match_arrays(aligner, x, y, pairs=both, fair=fair, **settings)


def fair_of(random, chosen, missed=0):
    """The first pairs are drawn at random, and then others are chosen by a review."""
    rows = np.repeat([True, False], [random, chosen])
    none = np.zeros(random + chosen, int)
    return Fair(rows, ~rows, later=none, of_missed=np.zeros(missed, int), drawn=random)


@pytest.fixture(scope="module")
def pairs():
    """80 pairs of the hard items, which are those to match too, and 120 easy ones."""
    return np.concatenate([np.arange(200, 280), np.arange(120)])


@pytest.fixture(scope="module")
def found(made, pairs):
    return matched(made, pairs, fair_of(80, 120))


def of_hard(found):
    return int(np.sum(found.x == found.y))


def test_the_fair_pairs_alone_say_how_many_matches_are_right(made, pairs, found):
    every = matched(made, pairs, None)
    right = of_hard(found)
    assert right == of_hard(every)  # the matches are the same
    assert every.expected.low > right
    assert found.expected.low <= right <= found.expected.high
    assert found.calibration.pairs == 80
    rest = "80 pairs that are a random sample of the items to match, without the 120 others."
    assert f"These are rough figures: they rest on {rest}" in found.summary


def test_calibration_and_outcomes_are_those_of_the_fair_pairs(made, pairs, found):
    x, y = made
    rest = np.setdiff1d(np.arange(600), pairs)
    problem = Problem(x[pairs], y[pairs], x[rest], y[rest])
    evidence = held_out_pairs(METHODS["cca"].fit(problem), problem, jax.random.key(0))
    taken = fair_evidence(evidence, fair_of(80, 120))
    assert sorted(taken.pairs.tolist()) == [*range(80)]
    for name in ("partner", "log_total", "candidate"):
        rows = np.isin(evidence.pairs, np.arange(80))
        np.testing.assert_array_equal(getattr(taken.to_x, name), getattr(evidence.to_x, name)[rows])
    assert len(found.outcomes.held_out) == len(found.outcomes.absent) == 80
    groups = found.groups.of_item
    alone = calibrate(taken, groups[pairs[taken.pairs]], groups[rest])
    assert alone.to_y == found.calibration.to_y
    assert alone.first_y.platt == found.calibration.first_y.platt


def test_bias_is_tested_where_nobody_knows_the_origin_and_of_the_fair_pairs_alone(made, pairs):
    drawn = matched(made, pairs, fair_of(80, 120)).calibration
    assert drawn.pair_bias == 0
    given = matched(made, pairs, fair_of(80, 120)._replace(drawn=20)).calibration
    assert given.pair_bias != 0
    assert not given.is_biased
    assert given.pair_bias != matched(made, pairs, None).calibration.pair_bias


@pytest.mark.parametrize("random", [0, 59])
def test_below_60_fair_pairs_there_is_no_list(made, pairs, random):
    found = matched(made, pairs, fair_of(random, 200 - random))
    assert found.calibration.lacking == 60 - random
    assert not np.isnan(found.probability).any()
    known = f"{random} of the 200 pairs are a random sample of the items to match"
    assert f"Only {known}: far fewer may be right. {60 - random} more" in found.summary
    ids = np.arange(600).astype(str)
    listed = listed_pairs(found, ids, ids, "", 0.5)
    assert listed.rows == []
    assert listed.summary == (
        f"No list at a chosen error: only {known}. Answer {60 - random} screens that review shows "
        f"at random, one in five: about {'1 minute' if random == 59 else '30 minutes'} of review."
    )
    assert found.calibration.metadata["fair"] == random


def test_60_fair_pairs_suffice_for_a_list(made, pairs):
    found = matched(made, pairs, fair_of(60, 140))
    assert found.calibration.lacking == 0
    ids = np.arange(600).astype(str)
    assert "random sample" not in listed_pairs(found, ids, ids, "", 0.5).summary


@pytest.mark.parametrize("one_to_one", [False, True])
def test_items_whose_partner_was_not_found_are_wrong_matches(made, pairs, one_to_one):
    few, many = (
        matched(made, pairs, fair_of(80, 120, missed), one_to_one=one_to_one) for missed in (0, 80)
    )
    assert many.calibration.missed == 80
    assert many.expected.value < 0.75 * few.expected.value
    assert many.calibration.among == pytest.approx(few.calibration.among / 2)
    for of, count in ((few, 80), (many, 160)):
        assert {len(part) for part in of.outcomes[1:]} == {count}
    assert many.outcomes.right.sum() == few.outcomes.right.sum()
    assert (many.y == few.y).all()
    half = matched(made, pairs, fair_of(80, 120, 80), share=0.1, one_to_one=one_to_one)
    assert half.calibration.missed < 80  # some of them have no partner


def test_missed_items_count_only_with_a_fair_sample(made, pairs):
    every = matched(made, pairs, fair_of(80, 120, 70), share=None)
    assert every.calibration.missed == 70  # all of them where no share is known, for sets
    assert every.likely_share is None
    assert matched(made, pairs, fair_of(80, 120), share=None).likely_share is not None
    few = matched(made, pairs, fair_of(20, 180, missed=39)).calibration
    assert (few.missed, few.lacking, few.pairs) == (0, 1, 200)
    assert matched(made, pairs, fair_of(2, 198, missed=90)).calibration.lacking == 1
    enough = matched(made, pairs, fair_of(20, 180, missed=40)).calibration
    assert (enough.missed, enough.lacking, enough.pairs) == (40, 0, 20)


def test_likely_pairs_that_a_review_took_later_leave_the_sample(made, pairs):
    """The sample is one of 520 items, 120 of which a review has paired since: as many leave it."""
    x, y = made
    rest = np.setdiff1d(np.arange(600), pairs)
    problem = Problem(x[pairs], y[pairs], x[rest], y[rest])
    evidence = held_out_pairs(METHODS["cca"].fit(problem), problem, jax.random.key(0))
    fair = fair_of(80, 120)
    later = fair_evidence(evidence, fair._replace(later=np.full(200, 120)))
    assert len(later.pairs) == 80 - round(80 * 120 / 520)
    every = fair_evidence(evidence, fair)
    assert {*later.pairs} < {*every.pairs}
    left = every.to_y.ranks[~np.isin(every.pairs, later.pairs)]
    assert np.median(left) < np.median(later.to_y.ranks)  # the likely ones


def test_sets_need_a_fair_sample_and_count_partners_that_nobody_found(made, pairs):
    few = matched(made, pairs, fair_of(30, 170), coverage=0.8)
    assert few.sets is None
    assert "only 30 of the 200 pairs" in why_none(few.calibration, 0.8)
    found, missed = (
        matched(made, pairs, fair_of(80, 120, missed), coverage=0.8) for missed in (0, 10)
    )
    assert np.median(found.sets.size) < np.median(missed.sets.size)
    half = matched(made, pairs, fair_of(60, 140, 60), coverage=0.8)
    assert (half.sets.size == 400).all()  # nothing holds four of five partners

"""The rule by which "auto" chooses, on made-up ranks of held-out pairs."""

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax.aligners import candidates, choose
from gentle_clip_jax.aligners.evidence import conclude
from gentle_clip_jax.aligners.problem import Features, Problem
from gentle_clip_jax.aligners.reduced import unmatched_parts
from gentle_clip_jax.evaluation import cross_validation
from gentle_clip_jax.evaluation.cross_validation import Candidate, HeldOut

PLANNED, UNPLANNED, NAMED = choose.PLANNED, choose.UNPLANNED, choose.NAMED
SMOOTHED = choose.SMOOTHED
NAMES = {"planned": PLANNED, "unplanned": UNPLANNED, "named": NAMED, "smoothed": SMOOTHED}
NAMES |= {"ridge": "ridge", "relative": "relative", "joined": candidates.JOINED}
NAMES |= {"names_joined": candidates.NAMES_JOINED}


def chosen(pairs: int, dimensions: int = 100, **gains: float) -> str:
    """What is chosen if candidates gain so many standard errors on CCA; ridge regression is worse.

    Of two candidates that are not CCA the difference is that of their gains over the root of two.
    """
    gains = {"ridge": -9.0} | gains
    noise = np.random.default_rng(0).normal(size=(pairs, len(gains)))
    noise = np.sqrt(pairs - 1) * np.linalg.qr(noise - noise.mean(axis=0))[0]
    ranks = {"cca": np.full(pairs, 3.0)}
    for (name, gain), own in zip(gains.items(), noise.T):
        ranks[NAMES[name]] = 3 - own - gain / np.sqrt(pairs)
    x = jnp.zeros((pairs, 1, dimensions))
    found = HeldOut(ranks, {}, 0, 0, 0)
    return choose.choose(Features(x, x, x, x), found, named="named" in gains).candidate


@pytest.mark.parametrize(
    ("pairs", "dimensions", "gain", "expected"),
    [
        (100, 100, -0.9, PLANNED),
        (100, 100, -1.1, "cca"),
        (30, 100, -0.9, PLANNED),
        (30, 100, -1.1, "cca"),
        (100, 64, -0.9, PLANNED),  # in few dimensions alike
        (100, 64, -1.1, "cca"),
    ],
)
def test_unmatched_items_are_used_where_held_out_pairs_allow_it(pairs, dimensions, gain, expected):
    assert chosen(pairs, dimensions, planned=gain, unplanned=gain) == expected


def test_of_pairs_alone_the_better_stands_against_it():
    assert chosen(100, ridge=5.0, planned=-1.0, unplanned=-1.0) == "ridge"
    assert chosen(100, ridge=-5.0, planned=-1.1, unplanned=-1.1) == "cca"


def test_relative_representations_stand_against_it_too():
    assert chosen(100, relative=5.0, planned=-1.0, unplanned=-1.0) == "relative"


def test_relative_representations_join_only_if_they_help_for_sure():
    # The difference of two candidates has a deviation of the root of two.
    assert chosen(100, planned=3.0, unplanned=0.0, joined=3.0 + 2.7) == PLANNED
    assert chosen(100, planned=3.0, unplanned=0.0, joined=3.0 + 2.9) == candidates.JOINED


def test_a_plan_that_loses_for_sure_is_left_out():
    assert chosen(100, planned=3.0, unplanned=9.0) == UNPLANNED
    assert chosen(100, planned=3.0, unplanned=3.0) == PLANNED


def test_in_few_dimensions_neighbours_must_help_for_sure():
    assert chosen(100, 30, planned=6.0, unplanned=0.0, smoothed=6.0 + 2.9) == SMOOTHED
    assert chosen(100, 30, planned=6.0, unplanned=0.0, smoothed=6.0 + 2.7) == PLANNED
    assert chosen(100, 30, planned=-2.0, unplanned=0.0, smoothed=-1.1) == "cca"


def test_names_of_classes_are_used_unless_pairs_object():
    worse = {"names_joined": -9.0}
    assert chosen(100, named=3.0 + 1e-3, planned=3.0, unplanned=3.0, **worse) == NAMED
    assert chosen(100, named=2.0, planned=4.0, unplanned=3.0, **worse) == PLANNED
    # Fewer than 60 pairs must object for sure.
    assert chosen(30, named=2.0, planned=4.0, unplanned=3.0, **worse) == NAMED
    assert chosen(30, named=0.0, planned=4.0, unplanned=3.0, **worse) == PLANNED


def test_maps_of_names_alone_join_where_they_help():
    others = {"planned": 1.0, "unplanned": 1.0}
    assert chosen(100, named=3.0, names_joined=3.1, **others) == candidates.NAMES_JOINED
    assert chosen(100, named=3.0, names_joined=2.9, **others) == NAMED
    assert chosen(100, named=-9.0, names_joined=0.9, **others) == PLANNED


def test_of_too_few_pairs_to_hold_out_names_alone_take_part():
    x = jnp.zeros((5, 1, 100))
    choice = choose.choose(Features(x, x, x, x), None, named=True)
    assert (choice.candidate, choice.method) == (candidates.NAMES_JOINED, NAMED)


def test_maps_of_names_alone_do_not_know_the_wrong_answers(monkeypatch):
    """Nothing that is tried has seen what held-out partners are found among."""
    rng, seen = np.random.default_rng(0), []
    many = [jnp.float32(rng.normal(size=(n, 1, 3))) for n in (8, 8, 90, 120)]
    real = candidates.of_names_alone
    monkeypatch.setattr(
        candidates, "of_names_alone", lambda some, *more: seen.append(some) or real(some, *more)
    )
    classes = many[2][:4, 0], many[3][:4, 0]
    candidates.evaluate_candidates(Features(*many), classes, relatives=False)
    _, distractors = unmatched_parts(Features(*many))
    for found, items in zip(seen[0][2:], many[2:]):
        assert len(found) < len(items)
        np.testing.assert_array_equal(found, np.delete(np.asarray(items), distractors, axis=0))


def test_recall_of_held_out_pairs_is_at_one_five_and_ten(monkeypatch):
    """Both ways, the mean over the splits that held a pair out, whatever the fits."""
    found = np.array([[1, 11], [10, 5], [6, 10], [2, 12]])
    rows = jnp.zeros((4, 2))
    splits = [(np.arange(4), np.arange(0))] * 2
    monkeypatch.setattr(cross_validation, "repeated_folds", lambda n, seed: splits)
    monkeypatch.setattr(cross_validation, "partner_ranks", lambda fitted, x, y, size: found[:size])
    distractors = jnp.zeros((20, 2))
    candidate = Candidate(lambda rest: None, rows, rows, distractors, distractors)
    held = cross_validation.cross_validate({"cca": candidate}, 4, seed=0)
    expected = [
        [[1, 1, 1], [0, 0, 0]],
        [[0, 0, 1], [0, 1, 1]],
        [[0, 0, 1], [0, 0, 1]],
        [[0, 1, 1], [0, 0, 0]],
    ]
    np.testing.assert_array_equal(held.recall["cca"], expected)
    np.testing.assert_allclose(held.log_rank["cca"], np.log(found).mean(axis=1))
    assert (held.gallery, held.splits) == (24, 2)


@pytest.mark.parametrize(("pairs", "expected"), [(12, "cca"), (60, candidates.JOINED)])
def test_few_pairs_conclude_nothing_from_relative_representations(pairs, expected):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, pairs, 70))
    worse = dict.fromkeys(["ridge", PLANNED, UNPLANNED], 4.0)
    best = {"relative": 1.0, candidates.JOINED: 0.5}
    means = {"cca": 3.0, **worse, **best}
    ranks = {name: mean + 0.1 * rng.normal(size=pairs) for name, mean in means.items()}
    recall = {name: np.zeros((pairs, 2, 3)) for name in ranks}
    held_out = HeldOut(ranks, recall, fitted=pairs - 2, gallery=40, splits=5)
    concluded = conclude(Problem(*rows), held_out)
    assert concluded["held_out"]["chosen"] == expected

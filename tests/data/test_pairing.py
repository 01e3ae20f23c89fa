import numpy as np
import pytest

from gentle_clip_jax.data.pairing import choose_matched, hold_out_groups, own_order, separate


@pytest.mark.parametrize("num_items", [0, 1, 17, 100])
def test_held_out_groups_are_exact_and_whole(num_items):
    groups = np.random.default_rng(0).integers(40, size=100)
    mask = hold_out_groups(groups, num_items, seed=3)
    assert mask.sum() == num_items
    assert set(groups[mask]).isdisjoint(groups[~mask])


def test_hold_out_is_a_function_of_the_seed():
    groups = np.arange(100) // 2
    first, again, other = (hold_out_groups(groups, 20, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("groups", "num_items"), [("abc", 4), ("aabb", 3)])
def test_what_no_whole_groups_make_up_is_an_error(groups, num_items):
    with pytest.raises(ValueError, match=f"Cannot hold out {num_items} of .* hold out fewer"):
        hold_out_groups(np.array(list(groups)), num_items, seed=0)


@pytest.mark.parametrize(
    ("fraction", "num_matched"), [(0.0, 0), (0.1, 10), (0.256, 26), (1.0, 100)]
)
def test_matched_fraction(fraction, num_matched):
    assert choose_matched(100, fraction, seed=0).sum() == num_matched


def test_more_pairs_contain_the_fewer():
    few, many = (choose_matched(1000, fraction, seed=5) for fraction in (0.01, 0.1))
    assert (few <= many).all()


def test_choice_is_a_function_of_the_seed():
    first, again, other = (choose_matched(100, 0.3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_no_fraction(fraction):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        choose_matched(10, fraction, seed=0)


@pytest.mark.parametrize("unmatched", ["shuffled", "disjoint"])
def test_items_keep_or_lose_their_partner(unmatched):
    pairs, of_x, of_y = separate(20, 4, seed=1, unmatched=unmatched)
    matched, x, y = (set(rows.tolist()) for rows in (pairs, of_x, of_y))
    assert len(matched) == 4
    assert not matched & (x | y)
    assert x | y == set(range(20)) - matched
    assert (x == y) if unmatched == "shuffled" else not x & y


def test_unmatched_items_of_y_have_an_order_of_their_own():
    pairs, of_x, of_y = separate(1000, 100, seed=0)
    assert np.mean(of_x == of_y) < 0.02
    assert np.mean(own_order(1000, seed=0) == np.arange(1000)) < 0.02
    again = separate(1000, 100, seed=0)
    other = separate(1000, 100, seed=1)
    np.testing.assert_array_equal(again[2], of_y)
    assert (other[0] != pairs).any()


@pytest.mark.parametrize(
    ("num_pairs", "unmatched", "message"),
    [(21, "shuffled", "for 21 pairs"), (4, "lost", "one of shuffled, disjoint")],
)
def test_what_cannot_be_separated(num_pairs, unmatched, message):
    with pytest.raises(ValueError, match=message):
        separate(20, num_pairs, seed=0, unmatched=unmatched)

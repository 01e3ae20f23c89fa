import numpy as np
import pytest

from gentle_clip_jax.data.pairing import choose_matched, hold_out_groups


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

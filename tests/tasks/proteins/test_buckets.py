import itertools

import numpy as np
import pytest

from gentle_clip_jax.tasks.proteins import buckets


def padding(edges, rounded):
    return sum(min(edge for edge in edges if edge >= length) for length in rounded)


@pytest.mark.parametrize("num_buckets", [1, 2, 3, 9])
def test_no_other_lengths_need_less_padding(num_buckets):
    lengths = np.random.default_rng(0).integers(1, 60, 40)
    found = buckets.group_by_length(lengths, num_buckets, multiple=8)
    assert len(found) <= num_buckets
    assert [bucket.length for bucket in found] == sorted({bucket.length for bucket in found})
    np.testing.assert_array_equal(
        np.sort(np.concatenate([b.indices for b in found])), np.arange(len(lengths))
    )
    for bucket, longer in itertools.pairwise(found):
        assert lengths[bucket.indices].max() <= bucket.length < lengths[longer.indices].min()
    rounded = [-(-length // 8) * 8 for length in lengths]
    sizes = sorted(set(rounded))
    least = min(
        padding(edges, rounded)
        for n in range(1, num_buckets + 1)
        for edges in itertools.combinations(sizes, n)
        if edges[-1] == sizes[-1]
    )
    assert sum(b.length * len(b.indices) for b in found) == least


def test_indices_keep_their_order():
    (short, long) = buckets.group_by_length([5, 100, 3, 90, 5], 2, multiple=10)
    assert short.length == 10
    assert long.length == 100
    np.testing.assert_array_equal(short.indices, [0, 2, 4])
    np.testing.assert_array_equal(long.indices, [1, 3])


def test_nothing_and_nonsense():
    assert buckets.group_by_length([]) == []
    with pytest.raises(ValueError, match="Item 1 has the length 0: remove it"):
        buckets.group_by_length([4, 0])
    with pytest.raises(ValueError, match="must be 1 or more: 0, 32"):
        buckets.group_by_length([4], 0)


def test_pad():
    rows = [np.arange(6).reshape(3, 2), np.ones((1, 2), int)]
    padded = buckets.pad(rows, 4, -1)
    assert padded.shape == (2, 4, 2)
    np.testing.assert_array_equal(padded[0], [[0, 1], [2, 3], [4, 5], [-1, -1]])
    np.testing.assert_array_equal(padded[1], [[1, 1]] + [[-1, -1]] * 3)
    with pytest.raises(ValueError, match="Item 0 is longer than 2: it has 3"):
        buckets.pad(rows, 2, 0)

import dataclasses

import jax
import numpy as np
import pytest
import tiny_run

from gentle_clip_jax.data.batches import batches

DATASET = tiny_run.dataset()
SIZES = {"num_matched": 8, "num_unmatched": 12}


def numbered_dataset():
    """A dataset whose pixels and tokens tell which item they belong to."""
    dataset = tiny_run.dataset()
    for items in (dataset.matched.x, dataset.unmatched_x):
        items[:] = np.arange(len(items), dtype=np.uint8)[:, None, None]
    for items in (dataset.matched.y, dataset.unmatched_y):
        items[:] = np.arange(len(items))[:, None]
    return dataset


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_shapes_and_types():
    batch = batches(DATASET, seed=0, **SIZES)(0)
    assert {name: part["x"].shape for name, part in batch.items()} == {
        "matched": (8, 16, 16),
        "unmatched": (12, 16, 16),
    }
    assert {name: part["y"].shape for name, part in batch.items()} == {
        "matched": (8, 3),
        "unmatched": (12, 3),
    }
    assert batch["matched"]["x"].dtype == np.uint8
    assert batch["matched"]["y"].dtype == np.int32


def test_a_batch_is_a_function_of_seed_and_step():
    forwards, backwards = (batches(DATASET, seed=7, **SIZES) for _ in range(2))
    first = [forwards(step) for step in range(12)]
    for step in reversed(range(12)):
        assert_equal(first[step], backwards(step))
    other = batches(DATASET, seed=8, **SIZES)(3)
    assert (other["matched"]["x"] != first[3]["matched"]["x"]).any()
    assert (first[0]["matched"]["x"] != first[5]["matched"]["x"]).any()


@pytest.mark.parametrize("count", [2, 4])
def test_processes_make_up_the_batch_of_one(count):
    whole = batches(DATASET, seed=1, **SIZES)
    shares = [
        batches(DATASET, seed=1, process_index=i, process_count=count, **SIZES)
        for i in range(count)
    ]
    for step in (0, 6):
        parts = [share(step) for share in shares]
        recombined = jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
        assert_equal(recombined, whole(step))


def test_matched_rows_are_pairs_and_unmatched_rows_are_not():
    batch_at = batches(numbered_dataset(), seed=0, **SIZES)
    agreeing = 0
    for step in range(10):
        batch = batch_at(step)
        rows = {k: (v["x"][:, 0, 0], v["y"][:, 0]) for k, v in batch.items()}
        np.testing.assert_array_equal(*rows["matched"])
        agreeing += (rows["unmatched"][0] == rows["unmatched"][1]).sum()
    assert agreeing < 12


def test_a_pass_sees_every_item_once_and_the_next_in_another_order():
    batch_at = batches(numbered_dataset(), seed=0, **SIZES)
    passes = []
    for first in (0, 5):
        steps = [batch_at(step) for step in range(first, first + 5)]
        for part, size in (("matched", 40), ("unmatched", 60)):
            seen = np.concatenate([step[part]["x"][:, 0, 0] for step in steps])
            assert sorted(seen) == list(range(size))
            tokens = np.concatenate([step[part]["y"][:, 0] for step in steps])
            assert sorted(tokens) == list(range(size))
        passes.append(seen)
    assert (passes[0] != passes[1]).any()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_matched": 41}, "41 .* only 40: .*batch_matched"),
        ({"num_unmatched": 61}, "61 .* only 60: .*batch_unmatched"),
    ],
)
def test_a_batch_larger_than_the_data(sizes, message):
    with pytest.raises(ValueError, match=message):
        batches(DATASET, seed=0, **SIZES | sizes)


def test_no_unmatched_items():
    batch = batches(DATASET, seed=0, num_matched=8, num_unmatched=0)(0)
    assert list(batch) == ["matched"]


def test_no_matched_items():
    batch = batches(DATASET, seed=0, num_matched=0, num_unmatched=4)(0)
    assert batch["matched"]["x"].shape == (0, 16, 16)
    assert batch["unmatched"]["x"].shape == (4, 16, 16)


def test_a_batch_that_processes_cannot_share():
    batch_at = batches(DATASET, seed=0, process_count=3, **SIZES)
    with pytest.raises(ValueError, match="8 rows cannot be split over 3 processes"):
        batch_at(0)


class Fragile:
    """Rows of which some cannot be read, as of images that are decoded when asked for."""

    def __init__(self, rows, damaged):
        self.rows, self.damaged = rows, damaged

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        for number in np.arange(len(self.rows))[rows]:
            if number in self.damaged:
                raise ValueError(f"The image {number} cannot be decoded: fix it or remove it.")
        return self.rows[rows]


def fragile_task(**damaged):
    dataset = numbered_dataset()
    x = Fragile(dataset.matched.x, damaged.get("matched", ()))
    unmatched = Fragile(dataset.unmatched_x, damaged.get("unmatched", ()))
    return dataclasses.replace(
        dataset, matched=dataclasses.replace(dataset.matched, x=x), unmatched_x=unmatched
    )


def test_the_next_item_stands_in_for_one_that_cannot_be_read(notices):
    """Whatever was read before, so that a run that goes on has the same batches."""
    damaged = {"matched": (3, 4, 39), "unmatched": (0,)}
    batch_at = batches(fragile_task(**damaged), seed=0, max_damaged=4, **SIZES)
    whole, steps = batches(numbered_dataset(), seed=0, **SIZES), range(5)
    stands_in = {3: 5, 4: 5, 39: 0}
    for step in steps:
        rows = whole(step)["matched"]["x"][:, 0, 0]
        batch = batch_at(step)["matched"]
        expected = [stands_in.get(int(row), row) for row in rows]
        np.testing.assert_array_equal(batch["x"][:, 0, 0], expected)
        np.testing.assert_array_equal(batch["x"][:, 0, 0], batch["y"][:, 0])
    said = notices().splitlines()
    assert len(said) == 4
    assert "Skipped: 4 of at most 4." in said[-1]
    assert all("cannot be decoded" in line for line in said)
    late = batches(fragile_task(**damaged), seed=0, max_damaged=4, **SIZES)
    for step in reversed(steps):
        assert_equal(late(step), batch_at(step))


def test_too_many_items_that_cannot_be_read():
    batch_at = batches(fragile_task(matched=(3, 4)), seed=0, max_damaged=1, **SIZES)
    message = r"The image [34] cannot be decoded: .* More than config.train.max_damaged=1 items"
    with pytest.raises(ValueError, match=message):
        [batch_at(step) for step in range(5)]

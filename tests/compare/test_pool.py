import json

import numpy as np
import pytest

from gentle_clip_jax.compare import pool
from gentle_clip_jax.data.embeddings import FeatureSet
from gentle_clip_jax.files import sha256

RNG = np.random.default_rng(0)


def write(folder, rows, features):
    """What gentle-clip encode leaves behind."""
    folder.mkdir(parents=True)
    np.save(folder / "features.npy", features.astype("f4"))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = ("features.npy", "rows.jsonl")
    digests = {name: sha256(folder / name) for name in names}
    (folder / "manifest.json").write_text(json.dumps({"sha256": digests}))


@pytest.fixture
def root(tmp_path):
    """Two sets of 8 items: 4 to train on, 2 to validate, 2 to test; captions 1, 2, 1, 2, ..."""
    for name in ("first", "second"):
        splits = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
        items = [
            {"id": f"{name}{i}", "split": split, "label": ("cat", "dog", "odd")[i % 3]}
            for i, split in enumerate(splits)
        ]
        captions = [
            item | {"text": f"{i} {k}"} for i, item in enumerate(items) for k in range(i % 2 + 1)
        ]
        classes = [{"id": label, "label": label} for label in ("odd", "dog", "cat")]
        write(tmp_path / name / "images", items, RNG.normal(3, 2, (8, 5)))
        write(tmp_path / name / "captions", captions, RNG.normal(-1, 3, (12, 4)))
        write(tmp_path / name / "classes", classes, RNG.normal(size=(3, 4)))
    return tmp_path


def load(root, **changes):
    settings = {
        "train": ("first", "second"),
        "zero_shot": {"first": "test", "second": ""},
        "excluded_labels": ("odd",),
        "evaluate": "test",
    }
    return pool.load_task(root, **(settings | changes))


def test_a_task_has_the_train_items_standardised_and_the_test_items_apart(root):
    task = load(root)
    assert task.x.shape == (8, 1, 5)
    assert task.y.shape == (8, 2, 4)
    assert list(task.sources) == ["first"] * 4 + ["second"] * 4
    np.testing.assert_allclose(task.x.mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(task.x.std((0, 1)), 1, rtol=1e-6)
    np.testing.assert_array_equal(task.y[0, 0], task.y[0, 1])  # its only caption, twice
    test = task.retrieval["first"]
    assert list(test.x_ids) == ["first6", "first7"]
    assert list(test.y_ids) == ["first6", "first7", "first7"]
    assert test.texts is not None
    assert list(test.texts) == ["6 0", "7 0", "7 1"]


def test_classes_are_named_by_label_and_without_the_excluded(root):
    task = load(root)
    found = task.zero_shot["second"]
    assert found.classes.shape == (2, 4)
    assert list(found.labels) == [0, 1, 0, 1, 0, 1]  # cat, dog, odd left out, cat, ...
    assert len(task.zero_shot["first"].x) == 2


def test_validation_uses_other_items_and_only_sets_to_train_on(root):
    task = load(root, evaluate="validation", zero_shot={"first": "test"})
    assert list(task.retrieval["first"].x_ids) == ["first4", "first5"]
    assert list(task.zero_shot) == ["first"]


@pytest.mark.parametrize("unmatched", ["shuffled", "disjoint", "shifted"])
def test_drawn_items_keep_or_lose_their_partner(root, unmatched):
    task = load(root)
    items = np.arange(8.0)[:, None, None]  # the only feature tells which item a row is of
    task = task._replace(x=items, y=items, lone_x=items[:0], lone_y=items[:0])
    x, y, lone_x, lone_y = pool.draw(task, 2, seed=1, unmatched=unmatched)
    np.testing.assert_array_equal(x[:, 0, 0], y[:, 0, 0])
    matched, of_x, of_y = (set(rows[:, 0, 0]) for rows in (x, lone_x, lone_y))
    assert not matched & (of_x | of_y)
    if unmatched == "shuffled":
        assert of_x == of_y == set(range(8)) - matched
    else:
        assert not of_x & of_y
    if unmatched == "shifted":
        assert of_x <= set(range(4))
        assert of_y <= set(range(4, 8))
    again = pool.draw(task, 2, seed=1, unmatched=unmatched)
    np.testing.assert_array_equal(lone_y, again[3])


def test_own_features_hold_out_a_third_of_the_pairs():
    x = FeatureSet(RNG.normal(size=(12, 3)), np.array([f"s{i}" for i in range(12)]))
    y_ids = np.array([f"t{i}" for i in range(10) for _ in range(2)])
    y = FeatureSet(RNG.normal(size=(20, 4)), y_ids)
    pairs = np.array([[f"s{i}", f"t{i}"] for i in range(9)])
    task = pool.own_task(x, y, pairs, seed=0)
    assert task.x.shape == (6, 1, 3)
    assert task.y.shape == (6, 2, 4)
    assert task.lone_x.shape == (3, 1, 3)
    assert task.lone_y.shape == (1, 2, 4)
    test = task.retrieval["held-out pairs"]
    assert len(test.x) == 3 + 3
    assert len(test.y) == 2 * (3 + 1)
    assert set(test.x_ids) & set(test.y_ids) == {"pair 0", "pair 1", "pair 2"}


def test_too_few_own_pairs_are_refused():
    x = FeatureSet(RNG.normal(size=(5, 3)), np.arange(5).astype(str))
    with pytest.raises(ValueError, match="give 9 or more"):
        pool.own_task(x, x, np.array([["0", "0"], ["1", "1"]]), seed=0)


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        load(tmp_path, train=("nowhere",))


def test_a_feature_that_is_constant_but_for_rounding_stays_small():
    """As one of MiniLM: in units of its deviation it would be as large as the others."""
    features = RNG.normal(size=(12, 3))
    features[:, 1] *= 1e-30
    x = FeatureSet(features, np.arange(12).astype(str))
    pairs = np.repeat(x.ids[:9, None], 2, axis=1)
    task = pool.own_task(x, x, pairs, seed=0)
    assert np.abs(task.x[..., 1]).max() < 1e-20

import json

import numpy as np
import pytest

from gentle_clip_jax.aligners import align
from gentle_clip_jax.comparing import pool
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.storage.digests import sha256

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
    return pool.load_pool(root, **(settings | changes))


def test_a_pool_has_the_raw_train_items_and_the_test_items_apart(root):
    loaded = load(root)
    assert loaded.x.shape == (8, 1, 5)
    assert loaded.y.shape == (8, 2, 4)
    assert list(loaded.sources) == ["first"] * 4 + ["second"] * 4
    raw = np.load(root / "first" / "images" / "features.npy")
    np.testing.assert_array_equal(loaded.x[:4, 0], raw[:4])
    np.testing.assert_array_equal(loaded.retrieval["first"].x, raw[6:])
    np.testing.assert_array_equal(loaded.y[0, 0], loaded.y[0, 1])  # its only caption, twice
    test = loaded.retrieval["first"]
    assert list(test.x_ids) == ["first6", "first7"]
    assert list(test.y_ids) == ["first6", "first7", "first7"]
    assert test.texts is not None
    assert list(test.texts) == ["6 0", "7 0", "7 1"]


def test_classes_are_named_by_label_and_without_the_excluded(root):
    loaded = load(root)
    found = loaded.zero_shot["second"]
    assert found.classes.shape == (2, 4)
    assert list(found.labels) == [0, 1, 0, 1, 0, 1]  # cat, dog, odd left out, cat, ...
    assert len(loaded.zero_shot["first"].x) == 2


def test_validation_uses_other_items_and_only_sets_to_train_on(root):
    loaded = load(root, evaluate="validation", zero_shot={"first": "test"})
    assert list(loaded.retrieval["first"].x_ids) == ["first4", "first5"]
    assert list(loaded.zero_shot) == ["first"]


@pytest.mark.parametrize("unmatched", ["shuffled", "disjoint", "shifted"])
def test_drawn_items_keep_or_lose_their_partner(root, unmatched):
    loaded = load(root)
    items = np.arange(8.0)[:, None, None]  # the only feature tells which item a row is of
    loaded = loaded._replace(x=items, y=items, unmatched_x=items[:0], unmatched_y=items[:0])
    problem = pool.draw(loaded, 2, seed=1, unmatched=unmatched)
    x, y, unmatched_x, unmatched_y = (
        getattr(problem, name) for name in ("x", "y", "unmatched_x", "unmatched_y")
    )
    np.testing.assert_array_equal(x[:, 0, 0], y[:, 0, 0])
    matched, of_x, of_y = (set(rows[:, 0, 0]) for rows in (x, unmatched_x, unmatched_y))
    assert not matched & (of_x | of_y)
    if unmatched == "shuffled":
        assert of_x == of_y == set(range(8)) - matched
    else:
        assert not of_x & of_y
    if unmatched == "shifted":
        assert of_x <= set(range(4))
        assert of_y <= set(range(4, 8))
    again = pool.draw(loaded, 2, seed=1, unmatched=unmatched)
    np.testing.assert_array_equal(unmatched_y, again.unmatched_y)


def test_unmatched_items_do_not_stand_in_their_partners_place(root):
    items = np.arange(200.0)[:, None, None]
    loaded = load(root)._replace(
        x=items,
        y=items,
        sources=np.repeat("one", 200),
        unmatched_x=items[:0],
        unmatched_y=items[:0],
        classes=None,
    )
    problem = pool.draw(loaded, 20, seed=0, unmatched="shuffled")
    assert np.mean(problem.unmatched_x == problem.unmatched_y) < 0.05


def test_seeds_draw_other_pairs(root):
    items = np.arange(200.0)[:, None, None]
    loaded = load(root)._replace(
        x=items,
        y=items,
        sources=np.repeat("one", 200),
        unmatched_x=items[:0],
        unmatched_y=items[:0],
    )
    first, second = (pool.draw(loaded, 20, seed=seed, unmatched="disjoint") for seed in (0, 1))
    assert len(np.intersect1d(first.x, second.x)) < 10


def test_own_features_hold_out_a_third_of_the_pairs():
    x = Collection(RNG.normal(size=(12, 3)), np.array([f"s{i}" for i in range(12)]))
    y_ids = np.array([f"t{i}" for i in range(10) for _ in range(2)])
    y = Collection(RNG.normal(size=(20, 4)), y_ids)
    pairs = np.array([[f"s{i}", f"t{i}"] for i in range(9)])
    loaded = pool.own_pool(x, y, pairs, seed=0)
    assert loaded.x.shape == (6, 1, 3)
    assert loaded.y.shape == (6, 2, 4)
    assert loaded.unmatched_x.shape == (3, 1, 3)
    assert loaded.unmatched_y.shape == (1, 2, 4)
    test = loaded.retrieval["held-out pairs"]
    assert len(test.x) == 3 + 3
    assert len(test.y) == 2 * (3 + 1)
    both = set(test.x_ids) & set(test.y_ids)
    assert len(both) == 3
    assert both < {f"pair {k}" for k in range(9)}


def test_too_few_own_pairs_are_refused():
    x = Collection(RNG.normal(size=(5, 3)), np.arange(5).astype(str))
    with pytest.raises(ValueError, match="give 9 or more"):
        pool.own_pool(x, x, np.array([["0", "0"], ["1", "1"]]), seed=0)


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        load(tmp_path, train=("nowhere",))


def test_the_units_are_those_of_items_that_are_not_held_out():
    features = RNG.normal(size=(12, 3))
    x = Collection(features.astype(np.float32), np.arange(12).astype(str))
    pairs = np.repeat(x.ids[:9, None], 2, axis=1)
    loaded = pool.own_pool(x, x, pairs, seed=0)
    aligner = align(pool.draw(loaded, 6, seed=0, unmatched="shuffled"), "cca")
    held_out = loaded.retrieval["held-out pairs"]
    asked = np.isin(held_out.x_ids, held_out.y_ids)
    kept = np.array([row for row in x.features if not (row == held_out.x[asked]).all(1).any()])
    assert len(kept) == 9
    np.testing.assert_allclose(aligner.x.mean, kept.mean(0), atol=1e-6)
    np.testing.assert_allclose(aligner.x.deviation, kept.std(0), rtol=1e-5)

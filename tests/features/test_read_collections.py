"""Embeddings read from what people have, and one sentence for what cannot be used."""

import json

import numpy as np
import pytest

from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage.digests import sha256

FEATURES = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
IDS = np.array(["a", "b", "c", "d"])


def folder(path, *, rows=None, features=FEATURES):
    """What gentle-clip encode writes."""
    path.mkdir()
    rows = rows or [{"id": x, "split": "train", "label": None} for x in "abca"]
    np.save(path / "features.npy", features)
    (path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    digests = {name: sha256(path / name) for name in ("features.npy", "rows.jsonl")}
    (path / "manifest.json").write_text(json.dumps({"sha256": digests}))
    return path


def test_a_folder_of_features(tmp_path):
    found = read(folder(tmp_path / "out"))
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.ids.tolist() == ["a", "b", "c", "a"]
    assert found.splits is not None
    assert set(found.splits) == {"train"}
    assert found.labels is None


def test_what_only_some_rows_have_is_empty_for_the_others(tmp_path):
    rows = [{"id": x, "split": None, "label": label} for x, label in zip("abcd", ["x", None] * 2)]
    found = read(folder(tmp_path / "out", rows=rows))
    assert found.splits is None
    assert found.labels is not None
    assert found.labels.tolist() == ["x", "", "x", ""]


def test_a_file_stays_on_the_disk(tmp_path):
    np.save(tmp_path / "x.npy", FEATURES.astype(np.float16))
    found = read(tmp_path / "x.npy")
    assert isinstance(found.features, np.memmap)
    assert found.features.dtype == np.float16
    assert found.ids.tolist() == ["0", "1", "2", "3"]


def test_whole_numbers_become_float32(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6).reshape(2, 3))
    assert read(tmp_path / "x.npy").features.dtype == np.float32


@pytest.mark.parametrize("name", ["features", "embeddings", "anything"])
def test_npz(name, tmp_path):
    np.savez(tmp_path / "x.npz", **{name: FEATURES}, ids=IDS, labels=np.arange(4))
    found = read(tmp_path / "x.npz")
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.ids.tolist() == IDS.tolist()
    assert found.labels is not None
    assert found.labels.tolist() == ["0", "1", "2", "3"]


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": FEATURES, "scale": np.ones(3, np.float32)}, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read(tmp_path / "x.safetensors").features, FEATURES)


@pytest.mark.parametrize("form", ["lists", "lists of one size", "columns"])
def test_parquet(form, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {"id": IDS, "split": ["train"] * 4, "note": ["n"] * 4}
    if form == "columns":
        columns = {f"x{i}": FEATURES[:, i] for i in range(3)}
    else:
        size = 3 if form == "lists of one size" else -1
        columns = {"embedding": pa.array(FEATURES.tolist(), pa.list_(pa.float32(), size))}
    pq.write_table(pa.table(metadata | columns), tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.features.dtype == np.float32
    assert found.ids.tolist() == IDS.tolist()
    assert found.splits is not None


def test_rows_that_are_not_finite_are_named(tmp_path):
    bad = FEATURES.copy()
    bad[1, 0], bad[3, 2] = np.nan, np.inf
    np.save(tmp_path / "x.npy", bad)
    with pytest.raises(
        ValueError, match=r"x.npy have 2 rows with NaN or infinity, the first 1, 3 "
    ):
        read(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros(3)}, "0 arrays of two dimensions"),
        ({"x": FEATURES, "y": FEATURES}, "2 arrays of two dimensions; name the one to use"),
        ({"features": np.zeros((0, 3))}, r"not empty; its shape is \(0, 3\)"),
        ({"features": np.zeros((2, 0))}, r"not empty; its shape is \(2, 0\)"),
        ({"features": np.zeros((2, 3, 4))}, r"array \[rows, dimensions\].*\(2, 3, 4\)"),
        ({"features": np.array([["a", "b"]])}, "must be numbers"),
        ({"features": FEATURES, "ids": IDS[:3]}, "4 rows but 3 ids"),
        ({"features": np.array([[1, None]])}, "cannot be read: Object arrays"),
    ],
)
def test_arrays_that_are_no_embeddings(arrays, words, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        read(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.parquet", "x.safetensors", "x.h5ad"])
@pytest.mark.parametrize("content", [b"", b"no such file", b"PK\x03\x04 cut short"])
def test_files_that_are_broken(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"The embeddings .*{name} cannot be read: "):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.npy", "There is no file or folder"),
        ("x.txt", "is no file of embeddings: give a folder .* ends in .npy, .npz, .csv, .tsv"),
        ("empty", "has no manifest.json.*--out="),
    ],
)
def test_paths_that_cannot_be_read(name, words, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").touch()
    with pytest.raises(ValueError, match=words):
        read(tmp_path / name)


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_manifest_of_something_else(content, tmp_path):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match="was not written by gentle-clip encode"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["features.npy", "rows.jsonl"])
def test_an_altered_folder_is_noticed(name, tmp_path):
    out = folder(tmp_path / "out")
    (out / name).write_bytes((out / name).read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(ValueError, match=rf"{name} was altered"):
        read(out)

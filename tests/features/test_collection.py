"""A collection: its items, what is selected from it, and the folder that it is saved in."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read

FEATURES = np.arange(8, dtype=np.float32).reshape(4, 2)
COLUMNS = {
    "splits": np.array(["train", "val", "train", ""]),
    "labels": np.array(["L", "", "M", ""]),
    "texts": np.array(["one", "", "two", "<three>"], object),
}


def collection(**changes):
    """Two rows of b, one of a and one of c."""
    return Collection(**{"features": FEATURES, "ids": np.array([*"babc"]), **COLUMNS, **changes})


def test_items_are_in_the_order_of_their_first_rows():
    found = collection()
    assert found.items.tolist() == ["b", "a", "c"]
    assert found.item_of_row.tolist() == [0, 1, 0, 2]
    assert found.numbers_of(["c", "b"]).tolist() == [2, 0]
    np.testing.assert_array_equal(found.means(), [[2, 3], [2, 3], [6, 7]])
    np.testing.assert_array_equal(found.means(np.eye(4)), [[0.5, 0, 0.5, 0], *np.eye(4)[[1, 3]]])


def test_rows_of_items():
    found = collection().of_items(["a", "b"])
    np.testing.assert_array_equal(found, [[[2, 3], [2, 3]], [[0, 1], [4, 5]]])


def test_texts_and_previews_of_items():
    found = collection()
    assert found.texts_of(["b", "a"]) == {"b": ("one", "two"), "a": ()}
    assert [card.text for card in found.previews([*"abc"]).values()] == ["", "one\ntwo", "<three>"]
    bare = Collection(FEATURES, np.array([*"babc"]))
    assert bare.texts_of(["b"]) == {"b": ()}


def test_data_are_found_from_another_working_folder(tmp_path, monkeypatch):
    path = tmp_path / "features" / "pictures"
    manifest = {"arguments": {"data": "pictures"}}
    for folder in (path, tmp_path / "pictures"):
        folder.mkdir(parents=True)
    found = collection(path=path, manifest=manifest)
    assert found.data == tmp_path / "pictures"
    assert collection(manifest=manifest).data == pathlib.Path("pictures")
    monkeypatch.chdir(tmp_path)
    assert found.data == pathlib.Path("pictures")
    (tmp_path / "pictures").rmdir()
    assert found.data == pathlib.Path("pictures")


@pytest.mark.parametrize("chosen", [["c", "b"], np.array([True, False, True, True])])
def test_a_selection_has_the_rows_in_their_order(chosen):
    manifest = {"arguments": {"encoder": "minilm"}, "sha256": {"features.npy": "of all rows"}}
    found = collection(manifest=manifest).select(chosen)
    assert found.ids.tolist() == ["b", "b", "c"]
    assert found.texts is not None
    assert found.texts.tolist() == ["one", "two", "<three>"]
    assert found.encoder is not None
    assert found.encoder["encoder"] == "minilm"
    assert found.sha256["features"] != "of all rows"


def test_what_cannot_be_selected_is_named():
    with pytest.raises(ValueError, match="There is no item 'z' in this collection"):
        collection().select(["b", "z"])
    with pytest.raises(ValueError, match="The mask has 3 entries for 4 rows"):
        collection().select(np.ones(3, bool))


def test_every_array_has_an_entry_for_each_row():
    with pytest.raises(ValueError, match="A collection of 4 rows has 3 labels"):
        collection(labels=np.array([*"abc"]))
    with pytest.raises(ValueError, match=r"array \[rows, dimensions\], not of shape \(4,\)"):
        collection(features=np.zeros(4))


def test_an_id_that_no_file_can_hold_is_refused():
    with pytest.raises(ValueError, match=r"The id 'a\\ud800' holds half a character"):
        collection(ids=np.array(["b", "a\ud800", "b", "c"]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_saved_collection_is_read_again(tmp_path, dtype):
    manifest = {"arguments": {"encoder": "minilm", "data": "texts.csv"}, "weights_sha256": "abc"}
    saved = collection(features=FEATURES.astype(dtype), manifest=manifest)
    saved.save(tmp_path / "out")
    found = read(tmp_path / "out")
    assert found.features.dtype == dtype
    for name in ("features", "ids", *COLUMNS):
        np.testing.assert_array_equal(getattr(found, name), getattr(saved, name))
    assert found.encoder == saved.encoder
    assert found.data == saved.data
    found.select(["a"]).save(tmp_path / "out")  # over the files that it was read from
    assert read(tmp_path / "out").items.tolist() == ["a"]


def test_row_numbers_are_saved_as_such(tmp_path):
    np.save(tmp_path / "x.npy", FEATURES)
    read(tmp_path / "x.npy").save(tmp_path / "out")
    assert isinstance(read(tmp_path / "out").ids, RowNumbers)
    assert isinstance(read(tmp_path / "out").items, RowNumbers)
    collection().save(tmp_path / "out")
    assert not isinstance(read(tmp_path / "out").ids, RowNumbers)


def test_a_collection_is_saved_whole_or_not_read(tmp_path, monkeypatch):
    collection().save(tmp_path / "out")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gentle_clip_jax.features.folder.write_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            collection().save(tmp_path / "out")
    with pytest.raises(ValueError, match=r"out has no manifest\.json"):
        read(tmp_path / "out")
    collection().save(tmp_path / "out")
    assert read(tmp_path / "out").items.tolist() == ["b", "a", "c"]


def test_a_collection_shows_itself():
    encoder = {"arguments": {"encoder": "minilm" * 1000}}
    many = collection(manifest=encoder, path="p" * 5000)
    assert "3 items, 4 rows, 2 features, encoder minilm" in repr(many)
    assert len(repr(many)) < 1500
    page = collection()._repr_html_()
    assert "Collection(3 items, 4 rows, 2 features)" in page
    assert "&lt;three&gt;" in page
    assert "<three>" not in page


def test_a_table_is_read_again(tmp_path):
    pytest.importorskip("pandas")
    table = collection().to_pandas()
    assert table.columns.tolist() == ["id", "split", "label", "text", "features"]
    table.to_parquet(tmp_path / "x.parquet")
    found = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.ids.tolist() == [*"babc"]


def test_without_pandas_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        collection().to_pandas()


def test_reading_loads_no_jax():
    code = "import sys, gentle_clip_jax.features.read; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

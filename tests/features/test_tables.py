"""Embeddings from tables and AnnData equal those of .npy; one sentence for what is wrong."""

import dataclasses

import numpy as np
import pytest

from gentle_clip_jax.commands import failures
from gentle_clip_jax.data.pairs import RowNumbers
from gentle_clip_jax.features.given import modalities_of
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage import reading

FEATURES = np.random.default_rng(0).normal(size=(4, 3))
IDS = ["a", "b", "c", "d"]


def write_table(path, heading, rows, separator=","):
    lines = [heading, *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(line for line in lines if line is not None) + "\n")
    return path


def rows(*before):
    return [(*start, *values) for *start, values in zip(*before, FEATURES.tolist())]


@pytest.mark.parametrize(
    ("heading", "before"),
    [
        ("id,f0,f1,f2", [IDS]),
        (",0,1,2", [IDS]),
        ("cell,f0,f1,f2", [IDS]),
        ("\ufeffcell,f0,f1,f2", [["1_0", "b", "c", "d"]]),
        ("cell_id,f0,f1,f2", [range(4)]),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
def test_a_table_equals_its_array(name, heading, before, tmp_path):
    separator = "\t" if name == "x.tsv" else ","
    path = write_table(tmp_path / name, heading.replace(",", separator), rows(*before), separator)
    found = read(path)
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.ids.tolist() == [*map(str, before[0])]
    assert (found.splits, found.labels) == (None, None)


@pytest.mark.parametrize("heading", [None, "0,1,2", "f0,f1,f2"])
def test_rows_of_numbers_alone_are_numbered(heading, tmp_path):
    found = read(write_table(tmp_path / "x.csv", heading, FEATURES))
    np.testing.assert_array_equal(found.features, FEATURES)
    assert isinstance(found.ids, RowNumbers)


def test_what_a_table_says_of_rows_is_no_feature(tmp_path):
    (tmp_path / "x.csv").write_text('f0,id,split,label\n1,"a, b",train,x\n2,c,,y\n\n3,c,test,\n')
    found = read(tmp_path / "x.csv")
    assert found.features.tolist() == [[1], [2], [3]]
    assert found.ids.tolist() == ["a, b", "c", "c"]  # two rows of one item
    assert found.splits.tolist() == ["train", "", "test"]
    assert found.labels.tolist() == ["x", "y", ""]


def of_texts(folder, kind, ids, texts):
    path = folder / f"x.{kind}"
    if kind == "npz":
        np.savez(path, features=FEATURES, ids=ids, texts=texts)
    elif kind == "csv":
        write_table(path, "id,text,f0,f1,f2", rows(ids, [f'"{text}"' for text in texts]))
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": ids, "text": texts, "features": [*FEATURES]}), path)
    else:
        import anndata
        import pandas as pd

        anndata.AnnData(FEATURES, obs=pd.DataFrame({"text": texts}, ids)).write_h5ad(path)
    return path


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "h5ad"])
def test_texts_come_along(kind, tmp_path):
    texts = ["a pier, two boats", "a field", "", "a river"]
    found = read(of_texts(tmp_path, kind, IDS, texts))
    np.testing.assert_allclose(found.features, FEATURES)
    assert (found.ids.tolist(), found.texts.tolist()) == (IDS, texts)


def test_texts_that_come_first_are_ids_too(tmp_path):
    found = read(write_table(tmp_path / "x.csv", "text,f0,f1,f2", rows(IDS)))
    assert found.ids.tolist() == found.texts.tolist() == IDS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,f0,f1\na,1,2\nb,3\n", "line 3 has 2 cells, the first 3"),
        ("id,f0\na,1\nb,two\n", "line 3, column f0 holds 'two', which is no number"),
        ("1,2\n3,x\n", "line 2, column 2 holds 'x', which is no number"),
        ("id,f0\na,1\nb,\n", "line 3, column f0 holds '', which is no number"),
        ("id,f0\na,1\nb,nan\n", r"1 rows with NaN or infinity, the first 1 "),
        ("id,f0\na,1\n,2\n", r"no id for row 1 \(counted from 0\)"),
        ("id,f0,id\na,1,a\n", "2 columns are called id"),
        ("id\na\n", r"array \[rows, dimensions\] that is not empty; its shape is \(0, 1\)"),
        ("", r"that is not empty; its shape is \(0, 1\)"),
        ("id,f0,f1\n", r"not empty; its shape is \(0, 2\)"),
    ],
)
def test_tables_that_cannot_be_used(text, words, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read(tmp_path / "x.csv")
    assert "x.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_in_another_encoding(tmp_path):
    (tmp_path / "x.csv").write_bytes("id,f0\nä,1\n".encode("latin-1"))
    assert read(tmp_path / "x.csv").ids.tolist() == ["ä"]
    (tmp_path / "x.csv").write_bytes("id,f0\nä,1\n".encode() + b"\xe4,2\n")
    with pytest.raises(ValueError, match=r"x.csv cannot be read: .*line 3 is not UTF-8 text"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize("form", ["index", "named index", "several lists"])
def test_parquet_as_pandas_writes_it(form, tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    index = pd.Index(IDS, name="cell" if form == "named index" else None)
    if form == "several lists":
        table = pd.DataFrame({"other": [[1.0]] * 4, "pca": FEATURES.tolist()}, index=index)
    else:
        table = pd.DataFrame(FEATURES, index=index, columns=["f0", "f1", "f2"])
    table.to_parquet(tmp_path / "x.parquet")
    key = ":pca" if form == "several lists" else ""
    found = read(f"{tmp_path}/x.parquet{key}")
    np.testing.assert_array_equal(found.features, FEATURES)
    assert found.ids.tolist() == IDS


def test_lists_of_several_sizes_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"pca": [[1.0], [1.0, 2.0]]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="the lists of pca have 1 to 2 numbers"):
        read(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="it has no umap: it has pca"):
        read(tmp_path / "x.parquet:umap")


def test_an_array_of_several_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", pca=FEATURES, umap=FEATURES[:, :2], ids=IDS)
    for name, width in (("pca", 3), ("umap", 2)):
        found = read(f"{tmp_path}/x.npz:{name}")
        np.testing.assert_array_equal(found.features, FEATURES[:, :width])
        assert found.ids.tolist() == IDS
    with pytest.raises(ValueError, match=r"x.npz cannot be read: it has no tsne: it has pca, umap"):
        read(tmp_path / "x.npz:tsne")
    np.save(tmp_path / "x.npy", FEATURES)
    with pytest.raises(ValueError, match="nothing in it is named: leave out :pca"):
        read(tmp_path / "x.npy:pca")
    with pytest.raises(ValueError, match=r"There is no file or folder .*none.npz\."):
        read(tmp_path / "none.npz:pca")


def test_a_colon_may_be_of_the_name(tmp_path):
    np.save(tmp_path / "a.npy:b.npy", FEATURES)
    np.testing.assert_array_equal(read(tmp_path / "a.npy:b.npy").features, FEATURES)


@pytest.fixture
def cells(tmp_path):
    anndata = pytest.importorskip("anndata", reason="it is in the extra tables")
    import pandas as pd
    import scipy.sparse

    metadata = {"label": pd.Categorical(["x", None, "x", "y"]), "split": ["train"] * 4}
    return anndata.AnnData(
        scipy.sparse.csr_matrix(np.round(FEATURES, 1) * (FEATURES > 0)),
        obs=pd.DataFrame(metadata, index=IDS),
        obsm={"X_pca": FEATURES},
        layers={"counts": np.arange(12.0).reshape(4, 3)},
    )


def test_anndata(cells, tmp_path):
    cells.write_h5ad(tmp_path / "x.h5ad")
    expected = {"": cells.X.toarray(), ":X_pca": FEATURES, ":counts": cells.layers["counts"]}
    for key, array in expected.items():
        found = read(f"{tmp_path}/x.h5ad{key}")
        np.testing.assert_array_equal(found.features, array)
        assert found.ids.tolist() == IDS
        assert found.labels.tolist() == ["x", "", "x", "y"]
        assert found.splits.tolist() == ["train"] * 4
    pca = read(f"{tmp_path}/x.h5ad:X_pca")
    assert modalities_of(pca, dataclasses.replace(pca, path=tmp_path / "y.npy")) == ("x", "y")


def test_anndata_that_cannot_be_used(cells, tmp_path, monkeypatch):
    path = tmp_path / "x.h5ad"
    cells.write_h5ad(path)
    with pytest.raises(ValueError, match=r"it has no X_umap: it has X, X_pca, counts\."):
        read(f"{path}:X_umap")
    with monkeypatch.context() as patch:
        patch.setattr(reading, "memory", lambda: 100)
        with pytest.raises(ValueError, match=r"has 96 bytes, more than 25\."):
            read(path)
    cells.obsm["X_pca"][2, 1] = np.nan
    cells.write_h5ad(path)
    with pytest.raises(ValueError, match="NaN or infinity, the first 2 "):
        read(f"{path}:X_pca")
    cells.obs.index = ["a", "b", "b", "c"]
    cells.write_h5ad(path)
    with pytest.raises(ValueError, match=r"two rows of obs are called 'b': call .*make_unique"):
        read(path)


def test_a_sparse_matrix_that_points_outside_of_itself_is_refused(cells, tmp_path):
    import h5py

    cells.write_h5ad(tmp_path / "x.h5ad")
    with h5py.File(tmp_path / "x.h5ad", "a") as file:
        file["X/indices"][0] = 10**6
    with pytest.raises(ValueError, match=r"x.h5ad cannot be read: "):
        read(tmp_path / "x.h5ad")


def test_the_extra_is_named_where_it_is_not_installed(tmp_path, monkeypatch):
    import sys

    (tmp_path / "x.h5ad").touch()
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        read(tmp_path / "x.h5ad")
    said, code = failures.format_error(caught.value, None)
    assert 'pip install "gentle-clip-jax[tables]"' in said
    assert code == 2

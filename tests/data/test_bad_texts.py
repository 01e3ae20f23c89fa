"""Texts, pairs and embeddings as they come: read as a user expects, or one sentence why not."""

import contextlib
import io
import json
import pathlib
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bad_images import damaged

from gentle_clip_jax.data import metadata
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.data.texts import Text, list_classes, list_texts
from gentle_clip_jax.features.read import read


def lines(path: pathlib.Path, *rows: dict) -> pathlib.Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def texts_of(path: pathlib.Path) -> list[str]:
    return [text.text for text in list_texts(path)]


def test_empty_and_very_long_captions_are_kept_as_they_are(tmp_path):
    long = "boat " * 2000
    rows = [{"id": "a", "captions": ["", "  ", long]}, {"id": "b", "captions": []}, {"id": "c"}]
    found = list_texts(lines(tmp_path / "x.jsonl", *rows))
    assert [text.text for text in found] == ["", "", long.strip()]


@pytest.mark.parametrize(
    "text",
    [
        "cafe\u0301 \u0928\u092e\u0938\u094d\u0924\u0947",  # combining characters
        "\u202b\u05e9\u05dc\u05d5\u05dd\u202c",  # right to left, with the marks for it
        "👩‍🔬 family of 🇪🇺",
        "line\u2028separator and form\x0cfeed",
        "a\x00b",
    ],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.txt"])
def test_every_script_comes_through(text, name, tmp_path):
    content = {"x.jsonl": json.dumps({"text": text}), "x.csv": f'text\n"{text}"', "x.txt": text}
    (tmp_path / name).write_text(content[name] + "\n", encoding="utf-8")
    assert texts_of(tmp_path / name) == [text]


@pytest.mark.parametrize(
    ("name", "content"), [("x.jsonl", '{"text": "a"}'), ("x.csv", "text\na"), ("x.txt", "a")]
)
def test_byte_order_marks_are_no_text(name, content, tmp_path):
    (tmp_path / name).write_text("\ufeff" + content, encoding="utf-8")
    assert texts_of(tmp_path / name) == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "x.jsonl",
            '{"text": "é"}\n'.encode() + b'{"text": "\xe9"}',
            r"x.jsonl, line 2 is not UTF-8 text",
        ),
        ("x.jsonl", '{"text": "a"}'.encode("utf-16")[:-1], r"x.jsonl is not UTF-8 or UTF-16 text"),
        ("x.csv", b"text\n\x81", "x.csv, line 2 is not UTF-8 text .*: save it as CSV in UTF-8"),
        ("x.txt", b"\x81", "x.txt, line 1 is not UTF-8 text .*: save it as UTF-8"),
        ("x.csv", b"text\n" + b"a" * 200_000, r"x.csv, line 2 is not valid CSV \(field larger"),
        ("x.jsonl", b"[" * 100_000, "line 1 is not valid JSON"),
        ("x.jsonl", b'{"text": ' + b"1" * 5_000 + b"}", "line 1 is not valid JSON"),
        (
            "x.jsonl",
            b'{"id": 7, "text": {"en": "a"}}',
            "x.jsonl, line 1: captions must be one text",
        ),
        ("x.jsonl", b'{"captions": [["a"]]}', "x.jsonl, line 1: captions must be one text"),
    ],
)
def test_files_that_cannot_be_read(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        list_texts(tmp_path / name)


def test_numbers_and_nothing_are_captions_too(tmp_path):
    rows = [{"text": 5}, {"text": None}, {"text": ["a", None, 6.5]}]
    assert texts_of(lines(tmp_path / "x.jsonl", *rows)) == ["5", "a", "6.5"]


def test_halves_of_a_character_can_be_written(tmp_path):
    rows = [{"id": "a\ud83d", "label": "\ud83d", "text": "half \ud83d"}]
    found = list_texts(lines(tmp_path / "x.jsonl", *rows))
    assert found == [Text("a?", None, "?", "half ?")]


def test_folders_called_like_texts(tmp_path):
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.txt" / "b.txt").write_text("c")
    assert list_texts(tmp_path) == [Text("a.txt/b", None, None, "c")]


def test_labels_of_odd_kinds(tmp_path):
    lines(tmp_path / "metadata.jsonl", {"label": 3}, {"label": ""}, {"label": "{x}"}, {})
    assert [text.text for text in list_classes(tmp_path, "a {label}")] == ["a 3", "a {x}"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ROWS = st.dictionaries(
    st.sampled_from(["id", "split", "label", "text", "captions"]), JSON_VALUES, max_size=5
)
OBJECTS = st.lists(ROWS, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())


def written(name: str, content: bytes, read):
    """What `read` gives of a file with that content; None for a ValueError."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = pathlib.Path(folder) / name
        path.write_bytes(content)
        with contextlib.suppress(ValueError):
            return read(path)
    return None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["x.jsonl", "x.csv", "x.tsv", "x.txt"]), OBJECTS | st.binary(max_size=99))
def test_any_file_has_texts_or_is_a_value_error(name, content):
    for text in written(name, content, list_texts) or []:
        text.text.encode()
        assert isinstance(text.id, str)
    written("metadata.jsonl", content, metadata.read_lines)
    written("metadata.jsonl", content, lambda path: list_classes(path, "a {label}"))


CELLS = st.lists(st.sampled_from(["a", "b", "c", "1", "2", '"', "", " ", "a,b", "\x00"]))


@settings(max_examples=300, deadline=None)
@given(CELLS.map(",".join).map(str.encode) | st.binary(max_size=60))
def test_any_file_has_pairs_or_is_a_value_error(content):
    found = written("x.csv", content, lambda path: read_pairs(path, "abc", "123"))
    assert found is None or found.shape[1] == 2


FEATURES = np.arange(6, dtype=np.float32).reshape(2, 3)


def saved(kind: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import save

    file = io.BytesIO()
    if kind == "npy":
        np.save(file, FEATURES)
    elif kind == "npz":
        np.savez(file, features=FEATURES, ids=np.array(["a", "b"]))
    elif kind == "parquet":
        pq.write_table(pa.table({"id": ["a", "b"], "features": FEATURES.tolist()}), file)
    else:
        return save({"features": FEATURES, "ids": np.array([1, 2])})
    return file.getvalue()


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "safetensors"])
def test_any_file_has_embeddings_or_is_a_value_error(kind):
    sound = saved(kind)

    @settings(max_examples=200, deadline=None)
    @given(damaged([sound]))
    def check(content: bytes):
        found = written(f"x.{kind}", content, read)
        assert found is None or len(found.features) == len(found.ids)

    check()


@pytest.mark.parametrize("ids", [np.array("a"), np.array([["a"], ["b"]]), np.zeros((2, 2))])
def test_ids_of_another_shape(ids, tmp_path):
    np.savez(tmp_path / "x.npz", features=FEATURES, ids=ids)
    with pytest.raises(ValueError, match=r"x.npz has 2 rows but \d ids"):
        read(tmp_path / "x.npz")

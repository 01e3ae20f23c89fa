"""Texts from folders and files, and prompts for classes."""

import json

import pytest

from gentle_clip_jax.data.texts import Text, list_classes, list_texts

ROWS = [
    {"id": "a", "split": "train", "label": "boat", "captions": ["A boat.", " Two boats. "]},
    {"id": "b", "split": "test", "label": 3, "captions": ["A pier."]},
    {"id": "c", "split": "test"},
]


@pytest.fixture
def described(tmp_path):
    lines = "".join(json.dumps(row) + "\n\n" for row in ROWS)
    (tmp_path / "metadata.jsonl").write_text(lines)
    return tmp_path


def test_captions_of_metadata(described):
    expected = [
        Text("a", "train", "boat", "A boat."),
        Text("a", "train", "boat", "Two boats."),
        Text("b", "test", "3", "A pier."),
    ]
    assert list_texts(described) == expected
    assert list_texts(described / "metadata.jsonl") == expected
    assert list_texts(described, "test") == expected[2:]
    with pytest.raises(ValueError, match="no items of the split val, only of test, train"):
        list_texts(described, "val")


def test_a_folder_of_text_files(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "b.txt").write_text("One\n text.\n")
    (tmp_path / "below" / "a.txt").write_text("\ufeffAnother.", encoding="utf-8")
    (tmp_path / ".note.txt").write_text("hidden")
    assert list_texts(tmp_path) == [
        Text("b", None, None, "One text."),
        Text("below/a", None, None, "Another."),
    ]
    (tmp_path / "metadata.jsonl").write_text('{"id": "b", "split": "test", "label": "boat"}')
    assert list_texts(tmp_path, "test") == [Text("b", "test", "boat", "One text.")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "A boat.\n A pier. \n"),
        ("x.csv", 'text,split\n"A boat.",\nA pier.,\n'),
        ("x.tsv", "other\ttext\n1\tA boat.\n2\tA pier.\n"),
        ("x.jsonl", '{"text": "A boat."}\n{"caption": 0, "text": "A pier."}\n'),
    ],
)
def test_files_without_ids(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    assert list_texts(tmp_path / name) == [
        Text("0", None, None, "A boat."),
        Text("1", None, None, "A pier."),
    ]


def test_columns_of_csv(tmp_path):
    content = 'id,caption,label,split\na,"A boat, a pier.\nAnd more.",boat,test\n'
    (tmp_path / "x.csv").write_text(content)
    assert list_texts(tmp_path / "x.csv") == [
        Text("a", "test", "boat", "A boat, a pier.\nAnd more.")
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", "id,note\na,b\n", "x.csv has no texts: add a column captions or text"),
        ("x.csv", "", "has no texts: add a column"),
        ("x.txt", "", "has no texts"),
        ("x.pdf", "", "has no texts: give a folder"),
        ("x.jsonl", "{\n", "line 1 is not valid JSON"),
    ],
)
def test_files_that_cannot_be_used(name, content, words, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=words):
        list_texts(tmp_path / name)


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="There is no file or folder"):
        list_texts(tmp_path / "none")
    with pytest.raises(ValueError, match="has no texts"):
        list_texts(tmp_path)
    (tmp_path / "x.txt").write_bytes("é".encode() + b"\n\xe9")
    with pytest.raises(ValueError, match=r"x.txt, line 2 is not UTF-8 text.*save it as UTF-8"):
        list_texts(tmp_path / "x.txt")


def test_classes(described):
    prompt = "a photo of {label} ({})"
    classes = list_classes(described, prompt)
    assert classes == [
        Text("3", None, "3", "a photo of 3 ({})"),
        Text("boat", None, "boat", "a photo of boat ({})"),
    ]
    assert list_classes(described, prompt, "train") == classes[1:]
    with pytest.raises(ValueError, match="no labels"):
        list_classes(described, prompt, "val")
    with pytest.raises(ValueError, match=r"no place for the class: write \{label\}"):
        list_classes(described, "a photo")
    with pytest.raises(ValueError, match=r"has no labels for the prompt: add a metadata.jsonl"):
        list_classes(described / "none", prompt)

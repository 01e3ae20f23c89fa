"""Folders become data sets that TensorFlow Datasets reads by number, whole or not at all."""

import io
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.commands import main
from gentle_clip_jax.data import images, prepare, tfds_source
from gentle_clip_jax.data.texts import Text, list_classes, list_texts
from gentle_clip_jax.data.tfds_builders import catalogue
from gentle_clip_jax.storage.digests import sha256
from gentle_clip_jax.tasks.config import load_config

pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 5), shade).save(file, "PNG")
    return file.getvalue()


def lines(path: pathlib.Path, *rows: dict) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def seal(folder: pathlib.Path) -> None:
    """Writes the checksums of its files."""
    files = [path for path in sorted(folder.iterdir()) if path.name != "SHA256SUMS"]
    sums = [f"{sha256(path)}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


@pytest.fixture
def scenes(tmp_path):
    """A captioned set of six images in zip files, as the shared sets are."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for split, names in (("train", "abcd"), ("test", "ef")):
        with zipfile.ZipFile(folder / f"images-{split}.zip", "w") as archive:
            for name in names:
                archive.writestr(f"{name}.png", png(ord(name)))
    rows = [
        {"id": x, "split": "train" if x < "e" else "test", "label": label, "captions": captions}
        for x, label, captions in (
            ("a", "pier", ["A pier.", "Água"]),
            ("b", "bay", ["A bay."]),
            ("c", None, []),
            ("d", "pier", ["", "Two boats."]),
            ("e", "bay", ["Sand."]),
            ("f", "pier", ["Wood."]),
        )
    ]
    lines(folder / "metadata.jsonl", *rows)
    seal(folder)
    return folder


def run(*args: object) -> int:
    return main.main(["data", "prepare", *map(str, args)])


def test_a_captioned_set(scenes, tmp_path, capsys):
    to = tmp_path / "to"
    assert run("rsicd", f"--data={scenes}", f"--out={to}") == 0
    assert "rsicd/1.0.0: test 2, train 4." in capsys.readouterr().err
    source = tfds_source.open_source(to / "rsicd", "train")
    assert len(source) == 4
    assert source.images == "image"
    assert source[0] == {
        "id": "a", "image": png(ord("a")), "label": "pier", "captions": ["A pier.", "Água"]
    }  # fmt: skip
    assert (source[2]["label"], source[2]["captions"]) == (None, [])
    assert source[np.int64(3)]["captions"] == ["Two boats."]
    assert source.features["label"].names == ["bay", "pier"]
    assert [row["id"] for row in tfds_source.open_source(to / "rsicd" / "1.0.0", "test")] == [
        "e",
        "f",
    ]
    assert len(tfds_source.open_source(to / "rsicd", "train[:50%]")) == 2
    assert [path.name for path in to.iterdir()] == ["rsicd"]
    sums = (to / "rsicd" / "1.0.0" / "SHA256SUMS").read_text().splitlines()
    assert len(sums) == len([*(to / "rsicd" / "1.0.0").iterdir()]) - 1


def test_what_is_prepared_is_read_like_any_other_folder(scenes, tmp_path):
    target = prepare.prepare("rsicd", scenes, tmp_path / "to")
    listed = images.list_images(target.parent)
    assert [(image.id, image.split, image.label) for image in listed[-2:]] == [
        ("c", "train", None),
        ("d", "train", "pier"),
    ]
    assert images.decode(listed[-1].read(), 8)[0, 0].tolist() == [ord("d")] * 3
    assert list_texts(target, "test") == [
        Text("e", "test", "bay", "Sand."), Text("f", "test", "pier", "Wood.")
    ]  # fmt: skip
    assert [image.id for image in images.list_images(target, "train")] == ["a", "b", "c", "d"]
    for lister in (images.list_images, list_texts):
        with pytest.raises(ValueError, match="has no split val, only"):
            lister(target, "val")
    prompt = "a photo of a {label}"
    for split in (None, "train", "test"):
        assert list_classes(target, prompt, split) == list_classes(scenes, prompt, split)
    with pytest.raises(ValueError, match="has no split val, only"):
        list_classes(target, prompt, "val")


def test_a_folder_of_ones_own(tmp_path):
    folder = tmp_path / "My pictures"
    (folder / "trip").mkdir(parents=True)
    for name in ("1", "2", "trip/3"):
        (folder / f"{name}.png").write_bytes(png(len(name)))
    lines(
        folder / "metadata.jsonl",
        {"id": "1", "captions": ["One."], "split": "test", "label": "pier"},
        {"id": "trip/3", "captions": ["Two.", "Two again."]},
    )
    target = prepare.prepare("folder", folder, tmp_path / "to")
    assert target == tmp_path / "to" / "my_pictures" / "1.0.0"
    found = {s: [*tfds_source.open_source(target, s)] for s in tfds_source.splits(target)}
    assert {s: [row["id"] for row in rows] for s, rows in found.items()} == {
        "test": ["1"],
        "train": ["2", "trip/3"],
    }
    assert [row["captions"] for row in found["train"]] == [[], ["Two.", "Two again."]]
    assert [row["label"] for row in found["train"]] == [None, None]


def test_proteins(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "in"
    folder.mkdir()
    table = {"id": ["p", "q"], "sequence": ["MK", "A"], "length": [2, 1], "ok": [True, False]}
    pq.write_table(pa.table(table | {"split": ["train", ""]}), folder / "domains.parquet")
    atoms = np.arange(27, dtype=np.int16).reshape(3, 3, 3)
    atoms[0, 0] = -32768
    np.savez(folder / "coords.npz", offsets=[0, 2, 3], bb=atoms, id=np.array(["p", "q"]))
    target = prepare.prepare("pdb-domains-3d", folder, tmp_path / "to")
    first, second = tfds_source.open_source(target, "train")
    assert {k: v for k, v in first.items() if k != "backbone"} == {
        "id": "p", "sequence": "MK", "length": 2, "ok": True
    }  # fmt: skip
    assert first["backbone"].shape == (2, 3, 3)
    assert np.isnan(first["backbone"][0, 0]).all()
    np.testing.assert_allclose(second["backbone"], atoms[2:] / 100, rtol=1e-6)

    np.savez(folder / "coords.npz", offsets=[0, 2, 3], bb=atoms, id=np.array(["q", "p"]))
    with pytest.raises(ValueError, match=r"coords\.npz and .* list different proteins"):
        prepare.prepare("pdb-domains-3d", folder, tmp_path / "again")


def test_what_is_done_is_recognised(scenes, tmp_path, monkeypatch):
    target = prepare.prepare("rsicd", scenes, tmp_path / "to")
    monkeypatch.setattr(prepare, "_build", None)  # would fail if called
    assert prepare.prepare("rsicd", scenes, tmp_path / "to") == target
    (target / "label.labels.txt").write_text("other\n")
    with pytest.raises(
        ValueError, match=r"label\.labels\.txt: checksum mismatch with .*SHA256SUMS: delete"
    ):
        prepare.prepare("rsicd", scenes, tmp_path / "to")
    (scenes / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match="was prepared from other files"):
        prepare.prepare("rsicd", scenes, tmp_path / "to")


def test_another_folder_of_that_name_is_left_alone(scenes, tmp_path):
    (tmp_path / "to" / "rsicd").mkdir(parents=True)
    with pytest.raises(ValueError, match="is not a prepared data set: use another --out"):
        prepare.prepare("rsicd", scenes, tmp_path / "to")


def test_sources_that_were_altered_or_cut_are_not_used(scenes, tmp_path):
    content = (scenes / "images-test.zip").read_bytes()
    (scenes / "images-test.zip").write_bytes(content[:-1] + b"?")
    with pytest.raises(ValueError, match=r"images-test\.zip: checksum mismatch .*: copy it again"):
        prepare.prepare("rsicd", scenes, tmp_path / "to")
    (scenes / "images-test.zip").unlink()
    with pytest.raises(ValueError, match=r"images-test\.zip is missing, but .* lists it"):
        prepare.prepare("rsicd", scenes, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def damage(folder: pathlib.Path, name: str) -> None:
    packed = (folder / "images-train.zip").read_bytes()
    sound = png(ord(name))
    (folder / "images-train.zip").write_bytes(packed.replace(sound[:50], sound[:49] + b"?"))
    seal(folder)


def test_damaged_items_are_skipped_and_said(scenes, tmp_path, notices):
    damage(scenes, "b")
    with (scenes / "metadata.jsonl").open("a") as file:
        file.write('{"id": "gone", "split": "test"}\n')
    (scenes / "SHA256SUMS").unlink()
    target = prepare.prepare("rsicd", scenes, tmp_path / "to", max_skipped=2)
    assert [row["id"] for row in tfds_source.open_source(target, "train")] == ["a", "c", "d"]
    out = " ".join(notices().split())
    assert "Skipped: gone has no image." in out
    assert "Skipped: b cannot be read from" in out
    assert [x["id"] for x in json.loads((target / "prepared.json").read_text())["skipped"]] == [
        "gone",
        "b",
    ]


@pytest.mark.parametrize("most", [0, 1])
def test_too_many_damaged_items_stop_it(most, scenes, tmp_path, capsys):
    for name in "ab":
        damage(scenes, name)
    arguments = ("rsicd", f"--data={scenes}", f"--out={tmp_path / 'to'}")
    assert run(*arguments, f"--max-skipped={most}") == 2
    error = capsys.readouterr().err
    assert f"More than {most} items cannot be used, the first: a cannot be read" in error
    assert "--max-skipped" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "to" / "rsicd").exists()
    assert run(*arguments, "--max-skipped=2") == 0
    assert len(tfds_source.open_source(tmp_path / "to" / "rsicd", "train")) == 2


def test_a_split_that_is_all_damaged(scenes, tmp_path):
    with zipfile.ZipFile(scenes / "images-test.zip", "w") as archive:
        archive.writestr("e.png", b"no image")
    (scenes / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match="Every item of the split test is damaged"):
        prepare.prepare("rsicd", scenes, tmp_path / "to")
    assert not (tmp_path / "to" / "rsicd").exists()


@pytest.mark.parametrize("member", ["../b.png", "/b.png", "..\\b.png", "C:/b.png"])
def test_archives_with_members_outside_of_themselves(member, scenes, tmp_path, capsys):
    with zipfile.ZipFile(scenes / "images-test.zip", "w") as archive:
        archive.writestr(member, png(0))
    seal(scenes)
    assert run("rsicd", f"--data={scenes}", f"--out={tmp_path / 'to'}") == 2
    error = capsys.readouterr().err
    assert "images-test.zip: its member" in error
    assert "outside of the zip file: make the file again" in error
    assert not (tmp_path / "to").exists()


def test_sums_that_are_none(scenes, tmp_path):
    (scenes / "SHA256SUMS").write_bytes(b"\xff no sums\n")
    with pytest.raises(
        ValueError, match="SHA256SUMS is not in the format of sha256sum: see its line"
    ):
        prepare.prepare("rsicd", scenes, tmp_path / "to")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rsicdd", r"no data set rsicdd: did you mean rsicd\?"),
        ("zzzz", r"no data set zzzz: See gentle-clip data list"),
        ("flickr8k", "There is no folder .*none with the files of flickr8k"),
    ],
)
def test_wrong_names(name, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        prepare.prepare(name, tmp_path / "none", tmp_path / "to")


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("rsicd", None, "has no file metadata.jsonl"),
        ("rsicd", [{"id": "a"}, {"id": "a"}], "has the id a more than once"),
        ("rsicd", [{"split": "train"}], "object number 1 has no id"),
        ("rsicd", [{"id": "a", "split": "half a day"}], "A split cannot be called 'half a day'"),
        ("rsicd", [{"id": "a", "split": "ALL"}], "A split cannot be called 'ALL'"),
        ("folder", None, "has no file metadata.jsonl"),
        ("scope-seq-ss", None, r"domains\.parquet cannot be read"),
    ],
)
def test_folders_that_cannot_be_used(name, rows, words, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png(0))
    if rows is not None:
        lines(tmp_path / "in" / "metadata.jsonl", *rows)
    with pytest.raises(ValueError, match=words):
        prepare.prepare(name, tmp_path / "in", tmp_path / "to")


def test_list(capsys):
    assert main.main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert "rsicd" in out
    assert "protein" in out


SLOW = """
import sys, time
from gentle_clip_jax.data import prepare
from gentle_clip_jax.data.tfds_builders import image_sets

def read(image, about, read=image_sets._read):
    if image.id == "c":
        print("at c", file=sys.__stdout__, flush=True)
        time.sleep(60)
    return read(image, about)

image_sets._read, sys.stdout = read, sys.stderr
prepare.prepare("rsicd", *sys.argv[1:])
"""


def test_killed_half_way_it_begins_anew(scenes, tmp_path):
    to = tmp_path / "to"
    command = [sys.executable, "-c", SLOW, str(scenes), str(to)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert "at c" in process.stdout.readline()
        with pytest.raises(ValueError, match=r"Another process writes to .*: wait for it"):
            prepare.prepare("rsicd", scenes, to)
        process.send_signal(signal.SIGKILL)
    assert [path.name for path in to.iterdir()] == [".rsicd.unfinished"]
    assert not tfds_source.is_prepared(to / "rsicd")
    target = prepare.prepare("rsicd", scenes, to)
    assert [row["id"] for row in tfds_source.open_source(target, "train")] == [*"abcd"]
    assert [path.name for path in to.iterdir()] == ["rsicd"]


def test_a_full_disk(scenes, tmp_path):
    command = [sys.executable, "-m", "gentle_clip_jax", "data", "prepare", "rsicd"]
    # A file may not have more than 8 blocks, less than the smallest file of records.
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command]
    process = subprocess.run(
        [*limited, f"--data={scenes}", f"--out={tmp_path / 'to'}"], capture_output=True, text=True
    )
    assert process.returncode == 2
    (sentence,) = process.stderr.strip().splitlines()
    assert "cannot be written: " in sentence
    assert not (tmp_path / "to" / "rsicd").exists()


def test_tensorflow_is_not_needed(scenes, tmp_path):
    script = (
        "import sys\n"
        "from gentle_clip_jax.data import prepare\n"
        "from gentle_clip_jax.data import images, tfds_source\n"
        "bar = prepare.progress.bar\n"
        "def begun(*args):\n"
        "    assert args[0] == 'checking files' or 'tensorflow_datasets' in sys.modules\n"
        "    return bar(*args)\n"
        "prepare.progress.bar = begun\n"
        "target = prepare.prepare('rsicd', *sys.argv[1:])\n"
        "assert tfds_source.open_source(target, 'train')[0]['id'] == 'a'\n"
        "assert len(images.list_images(target)) == 6\n"
        "assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", script, str(scenes), str(tmp_path / "to")]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


SIZES = {
    "rsicd": {"train": 8734, "val": 1094, "test": 1093},
    "ucm-captions": {"train": 1680, "val": 210, "test": 210},
    "rsscn7": {"train": 1792, "val": 448, "test": 560},
    "eurosat-rgb-test": {"test": 2000},
    "flickr8k": {"train": 6000, "val": 1000, "test": 1000},
    "caltech101-test-subset": {"test": 1922},
    "cifar10-test-subset": {"test": 2000},
    "pdb-domains-3d": {
        "train": 3049, "valid": 300, "test": 511, "unlabelled": 1049, "unlabelled_overlap": 35
    },
    "scope-seq-ss": {
        "train": 9791, "valid": 581, "test_fold": 576, "test_superfamily": 934,
        "test_family": 1070, "extra": 21283,
    },
    "enzyme-reaction-ec": {"train": 8953, "valid": 660, "test": 1633},
    "uniprot-names": {"train": 10090},
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [n if n == "ucm-captions" else pytest.param(n, marks=pytest.mark.slow) for n in SIZES],
)
def test_the_real_sets(name, shared_data, tmp_path):
    folder = shared_data(name)
    target = prepare.prepare(name, folder, tmp_path)
    assert target == tmp_path / name / "1.0.0"
    sources = {s: tfds_source.open_source(target, s) for s in tfds_source.splits(target)}
    assert {split: len(source) for split, source in sources.items()} == SIZES[name]
    row = next(iter(sources.values()))[0]
    assert row["id"]
    if catalogue.DATA_SETS[name].field == "protein":
        assert len(row["sequence"]) == row["length"]
        assert len(row.get("backbone", row["sequence"])) == row["length"]
    else:
        expected = {image.id: image for image in images.list_images(folder)}[row["id"]]
        assert row["image"] == expected.read()
        assert row.get("label") == expected.label
    if name in ("rsicd", "ucm-captions", "flickr8k"):
        texts = [text.text for text in list_texts(folder) if text.id == row["id"]]
        assert row["captions"] == texts
        assert len(texts) == 5
    shutil.rmtree(target)


def test_the_data_sets_of_the_documentation(tmp_path):
    page = (pathlib.Path(__file__).parents[2] / "docs" / "train_encoders.md").read_text()
    assert all(f"| `{name}` |" in page for name in catalogue.DATA_SETS)
    (config,) = re.findall(r"```python\n(def get_config.*?)```", page, flags=re.DOTALL)
    (tmp_path / "harbours.py").write_text(config)
    assert load_config(tmp_path / "harbours.py").data.sets == ("harbours",)


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
def test_what_is_there_and_damaged_is_named(content, tmp_path):
    (tmp_path / "prepared.json").write_text(content)
    with pytest.raises(ValueError, match=r"prepared\.json (is no sound|must hold)"):
        prepare._check_prepared(tmp_path, {})

"""From a folder of images or texts to a folder of features, with encoders that take no time."""

import hashlib
import io
import json
import pathlib
import re
import shlex
import threading

import numpy as np
import pytest
from PIL import Image
from tiny_encoders import COLOURS, encode_images, encode_texts, manifest

from gentle_clip_jax.commands import main
from gentle_clip_jax.features import loading, update, work
from gentle_clip_jax.features.arguments import check_folder
from gentle_clip_jax.features.read import read


def test_images(pictures, tmp_path):
    found = encode_images(pictures, tmp_path / "out", batch_size=2)
    np.testing.assert_allclose(found.features, list(COLOURS.values()))
    assert found.features.dtype == np.float32
    assert found.ids.tolist() == [*COLOURS]
    assert found.splits is not None
    assert found.splits.tolist() == ["train"] * 3 + ["test"] * 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "arguments.copy.json",
        "arguments.json",
        "features.npy",
        "manifest.json",
        "rows.jsonl",
    ]
    assert manifest(tmp_path / "out")["num_rows"] == 5


def test_pictures_are_decoded_while_the_encoder_works(pictures, tmp_path, monkeypatch):
    last, decode, compiled = threading.Event(), work._decode, loading.compiled

    def decode_and_tell(image, *args):
        if image.id == "e":
            last.set()
        return decode(image, *args)

    def wait_for_the_last(weights):
        embed = compiled(weights)
        return lambda images: last.wait(60) and embed(images)

    monkeypatch.setattr(work, "_decode", decode_and_tell)
    monkeypatch.setattr(loading, "compiled", wait_for_the_last)
    found = encode_images(pictures, tmp_path / "out", batch_size=1)
    np.testing.assert_allclose(found.features, list(COLOURS.values()))


def test_a_split_and_half_precision(pictures, tmp_path):
    found = encode_images(pictures, tmp_path / "out", split="test", dtype="float16")
    assert found.ids.tolist() == ["d", "e"]
    assert found.features.dtype == np.float16


def test_broken_images_are_skipped_and_listed(pictures, tmp_path, notices):
    (pictures / "b.png").write_bytes(b"no image")
    (pictures / "e.png").write_bytes((pictures / "e.png").read_bytes()[:45])
    found = encode_images(pictures, tmp_path / "out", batch_size=3)
    assert found.ids.tolist() == ["a", "c", "d"]
    np.testing.assert_allclose(found.features, [COLOURS[name] for name in "acd"])
    skipped = manifest(tmp_path / "out")["skipped"]
    assert [item["id"] for item in skipped] == ["b", "e"]
    assert skipped[0]["reason"] == "is not an image that Pillow can read"
    assert "Skipped: b is not an image" in notices()


def test_no_image_can_be_read(pictures, tmp_path):
    for path in pictures.glob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(
        ValueError, match=r"Nothing in .*pictures can be used: the first is not an image"
    ):
        encode_images(pictures, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def write_texts(path, *texts):
    path.write_text("\n".join(texts) + "\n")
    return path


def test_texts(tmp_path, notices):
    data = write_texts(
        tmp_path / "x.txt", "boat pier boat", "pier", "", "pier", "boat " * 300, "other"
    )
    found = encode_texts(data, tmp_path / "out", batch_size=2)
    assert found.ids.tolist() == ["0", "1", "3", "4", "5"]
    np.testing.assert_array_equal(
        found.features[:, 1:],
        [[1, 1, 2, 1, 0], [1, 1, 0, 1, 0], [1, 1, 0, 1, 0], [1, 1, 254, 0, 0], [1, 1, 0, 0, 1]],
    )
    metadata = manifest(tmp_path / "out")
    assert [(item["id"], item["reason"]) for item in metadata["skipped"]] == [("2", "is empty")]
    assert (metadata["num_cut"], metadata["max_tokens"]) == (1, 256)
    rows = [*map(json.loads, (tmp_path / "out" / "rows.jsonl").read_text().splitlines())]
    digest = hashlib.sha256(b"pier").hexdigest()
    assert rows[2] == {"id": "3", "split": None, "label": None, "text": "pier", "sha256": digest}
    assert found.texts is not None
    assert found.texts[:3].tolist() == ["boat pier boat", "pier", "pier"]
    out = " ".join(notices().split())
    assert "Skipped: 2 is empty." in out
    assert "Cut to 256 tokens: 1." in out


def test_classes(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"id": 1, "label": "pier"}\n{"label": "boat"}\n')
    found = encode_texts(tmp_path, tmp_path / "out", prompt="a {label}")
    assert found.ids.tolist() == ["boat", "pier"]
    assert found.labels is not None
    assert found.labels.tolist() == ["boat", "pier"]
    np.testing.assert_array_equal(found.features[:, 3:], [[1, 0, 1], [0, 1, 1]])


class Stop(Exception):
    pass


def test_what_was_stopped_goes_on(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(update, "BLOCK", 2)
    whole = encode_images(pictures, tmp_path / "whole")
    decoded = []

    def decode_three(image, *args):
        if len(decoded) == 3:
            raise Stop
        decoded.append(image.id)
        return real_decode(image, *args)

    real_decode = work._decode
    monkeypatch.setattr(work, "_decode", decode_three)
    with pytest.raises(Stop):
        encode_images(pictures, tmp_path / "out")
    with pytest.raises(ValueError, match=r"has no manifest.json.*run it \(again\)"):
        read(tmp_path / "out")

    again = []
    monkeypatch.setattr(
        work,
        "_decode",
        lambda image, *args: again.append(image.id) or real_decode(image, *args),
    )
    found = encode_images(pictures, tmp_path / "out", batch_size=1)
    assert sorted(again) == ["c", "d", "e"]
    np.testing.assert_array_equal(found.features, whole.features)
    assert found.ids.tolist() == whole.ids.tolist()

    encode_images(pictures, tmp_path / "out")
    assert len(again) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": "float16"}, "begun with --dtype=float32, not float16: use another --out"),
        ({"split": "test"}, "begun with --split=None, not test"),
    ],
)
def test_other_arguments_are_refused(change, words, pictures, tmp_path):
    encode_images(pictures, tmp_path / "out")
    before = (tmp_path / "out" / "features.npy").read_bytes()
    with pytest.raises(ValueError, match=words):
        encode_images(pictures, tmp_path / "out", **change)
    assert (tmp_path / "out" / "features.npy").read_bytes() == before


def test_a_folder_with_other_files_is_refused(pictures, tmp_path):
    with pytest.raises(ValueError, match="pictures is not an empty folder: use another --out"):
        encode_images(pictures, pictures)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is not an empty folder"):
        encode_images(pictures, tmp_path / "file")


@pytest.mark.parametrize("question", ["exists", "is_dir"])
def test_a_folder_that_another_process_makes_meanwhile_is_accepted(tmp_path, monkeypatch, question):
    """It appears right after the first question whether it is there."""
    real = getattr(pathlib.Path, question)

    def answer(path, *args, **settings):
        found = real(path, *args, **settings)
        if path.name == "out":
            path.mkdir(exist_ok=True)
        return found

    monkeypatch.setattr(pathlib.Path, question, answer)
    check_folder(tmp_path / "out", {"encoder": "minilm"})


@pytest.mark.parametrize("name", ["features.npy", "rows.jsonl", "manifest.json", "arguments.json"])
def test_a_folder_in_the_place_of_a_file_is_refused_and_stays(name, pictures, tmp_path):
    out = tmp_path / "out"
    encode_images(pictures, out)
    for path in (out / "manifest.json", out / name):
        path.unlink(missing_ok=True)
    (out / name).mkdir()
    (out / name / "notes.txt").write_text("of a user")
    words = f"{out / name} is a folder where encode writes a file: move it away."
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        encode_images(pictures, out)
    assert (out / name / "notes.txt").read_text() == "of a user"


def test_a_batch_has_something_in_it(pictures, tmp_path):
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        encode_images(pictures, tmp_path / "out", batch_size=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is no file or folder none"),
        (
            ["--prompt=a {label}"],
            "A prompt makes texts: use it with an encoder of texts, as minilm",
        ),
    ],
)
def test_what_the_command_line_says(arguments, words, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["encode", "--encoder=efficientnet-lite0", "--data=none", f"--out={out}"]
    assert main.main([*command, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gentle-clip: ")
    assert error.count("\n") == 1
    assert words in error
    assert not out.exists()


def test_the_command_line(pictures, tmp_path):
    command = ["encode", "--encoder=efficientnet-lite0", f"--data={pictures}"]
    assert main.main([*command, f"--out={tmp_path / 'out'}", "--batch-size=2", "--split=test"]) == 0
    assert read(tmp_path / "out").ids.tolist() == ["d", "e"]


@pytest.mark.slow
def test_tensorflow_datasets(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets", reason="run pip install '.[data]' for this")

    class Pictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(),
                "label": tfds.features.ClassLabel(names="xy"),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples("ab"), "test": self._generate_examples("c")}

        def _generate_examples(self, names):
            for name in names:
                file = io.BytesIO()
                Image.new("RGB", (9, 9), COLOURS[name]).save(file, "PNG")
                yield name, {"image": file.getvalue(), "label": "y" if name == "b" else "x"}

    builder = Pictures(data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare()
    found = encode_images(builder.data_path, tmp_path / "out")
    assert sorted(found.ids) == ["test-0", "train-0", "train-1"]
    assert found.labels is not None
    assert found.splits is not None
    rows = zip(found.features.tolist(), found.splits, found.labels)
    expected = [
        ([*map(float, COLOURS[name])], split, label)
        for name, split, label in (("a", "train", "x"), ("b", "train", "y"), ("c", "test", "x"))
    ]
    assert sorted(rows) == sorted(expected)


def test_the_commands_of_the_manual(pictures, tmp_path, monkeypatch):
    manual = pathlib.Path(__file__).parents[2] / "docs" / "features.md"
    rows = (pictures / "metadata.jsonl").read_text().replace('"split"', '"label": "boat", "split"')
    (pictures / "metadata.jsonl").write_text(rows)
    (tmp_path / "texts").mkdir()
    write_texts(tmp_path / "texts" / "a.txt", "boat")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^gentle-clip (encode .*)$", manual.read_text(), flags=re.MULTILINE)
    for line in lines:
        # Of a network, test_encode_published.py; of layers and other libraries, tests/encoders.
        if re.search("openai/|facebook/|--layers|--encoder=[a-z_-]+:", line):
            continue
        assert main.main(shlex.split(line)) == 0
    sizes = {path.name: len(read(path).ids) for path in tmp_path.glob("features/*")}
    assert sizes == {"classes": 1, "texts": 1, "large": 1, "pictures": 5, "turned": 5}

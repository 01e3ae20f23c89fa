"""The same command again: what has changed is embedded, what has not is kept, nothing is stale."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_encoders import COLOURS, encode_images, encode_texts, manifest

from gentle_clip_jax.commands import main
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features import encode, folder, update, work
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage import locks

BEIGE, PINK = (240, 230, 190), (250, 130, 180)


def colours(found):
    return {id_: tuple(map(int, row)) for id_, row in zip(found.ids, found.features)}


def draw(path, colour):
    Image.new("RGB", (10, 12), colour).save(path)


@pytest.fixture
def decoded(monkeypatch):
    """The ids of the pictures that are decoded, as they are."""
    names, real = [], work._decode
    monkeypatch.setattr(
        work, "_decode", lambda image, *args: names.append(image.id) or real(image, *args)
    )
    return names


def test_pictures_replaced_under_the_same_names(pictures, tmp_path):
    encode_images(pictures, tmp_path / "out")
    for name in COLOURS:
        draw(pictures / f"{name}.png", BEIGE)
    assert colours(encode_images(pictures, tmp_path / "out")) == dict.fromkeys(COLOURS, BEIGE)


def test_only_what_is_new_or_changed_is_embedded(pictures, tmp_path, decoded, notices):
    encode_images(pictures, tmp_path / "out")
    decoded.clear()
    notices()
    draw(pictures / "f.png", BEIGE)
    draw(pictures / "b.png", PINK)
    (pictures / "a.png").unlink()
    (pictures / "c.png").rename(pictures / "moved.png")
    found = colours(encode_images(pictures, tmp_path / "out"))
    assert sorted(decoded) == ["b", "f"]
    assert found == {
        "b": PINK, "d": COLOURS["d"], "e": COLOURS["e"], "f": BEIGE, "moved": COLOURS["c"]
    }  # fmt: skip
    assert "Embedded now: 2; reused: 3." in notices()
    assert not (tmp_path / "out" / "parts").exists()


def test_what_metadata_says_anew_is_taken_without_embedding(pictures, tmp_path, decoded):
    encode_images(pictures, tmp_path / "out")
    decoded.clear()
    (pictures / "metadata.jsonl").write_text('{"id": "a", "label": "red"}\n')
    found = encode_images(pictures, tmp_path / "out")
    assert (decoded, found.splits) == ([], None)
    assert found.labels is not None
    assert found.labels.tolist() == ["red", "", "", "", ""]


def test_equal_pictures_are_embedded_once(pictures, tmp_path, decoded):
    shutil.copy(pictures / "a.png", pictures / "copy.png")
    found = colours(encode_images(pictures, tmp_path / "out"))
    assert sorted(decoded) == [*COLOURS]
    assert found == {**COLOURS, "copy": COLOURS["a"]}


def scaled(model, factor):
    params = {"scale": np.float32(factor)}
    return model._replace(params=params)


def test_other_weights_embed_all_again(pictures, weights, tmp_path, monkeypatch, notices):
    encode_images(pictures, tmp_path / "out")
    (weights / "weights").write_bytes(b"other weights")
    other = scaled(pretrained.efficientnet_lite0(), 2)
    monkeypatch.setattr(pretrained, "efficientnet_lite0", lambda: other)
    found = colours(encode_images(pictures, tmp_path / "out"))
    assert found == {name: tuple(2 * v for v in colour) for name, colour in COLOURS.items()}
    assert "out was made with other weights, settings or versions" in notices()


def test_another_tokenizer_embeds_all_again(tmp_path, weights):
    (tmp_path / "x.txt").write_text("boat\npier\n")
    first = encode_texts(tmp_path / "x.txt", tmp_path / "out")
    rules = (weights / "tokenizer.json").read_text()
    (weights / "tokenizer.json").write_text(rules.replace('"boat": 3', '"boat": 5'))
    assert "boat" in rules
    again = encode_texts(tmp_path / "x.txt", tmp_path / "out")
    assert not np.array_equal(first.features, again.features)


def test_texts_that_are_new_or_changed(tmp_path):
    (tmp_path / "x.txt").write_text("boat\npier\nboat pier\n")
    encode_texts(tmp_path / "x.txt", tmp_path / "out")
    (tmp_path / "x.txt").write_text("pier\npier\nboat boat\n")
    found = encode_texts(tmp_path / "x.txt", tmp_path / "out")
    fresh = encode_texts(tmp_path / "x.txt", tmp_path / "fresh")
    np.testing.assert_array_equal(found.features, fresh.features)


class Stop(Exception):
    pass


def stop_after(monkeypatch, number):
    real, seen = work._decode, []

    def decode(image, *args):
        if len(seen) == number:
            raise Stop
        seen.append(image.id)
        return real(image, *args)

    with monkeypatch.context() as patch:
        patch.setattr(work, "_decode", decode)
        yield


def stopped(pictures, out, monkeypatch, number=3):
    """A folder whose command was stopped after so many pictures, two of them in a part."""
    monkeypatch.setattr(update, "BLOCK", 2)
    for _ in stop_after(monkeypatch, number):
        with pytest.raises(Stop):
            encode_images(pictures, out)


def test_stopped_replaced_and_taken_up_again_is_no_mixture(pictures, tmp_path, monkeypatch):
    stopped(pictures, tmp_path / "out", monkeypatch)
    for name in COLOURS:
        draw(pictures / f"{name}.png", BEIGE)
    assert colours(encode_images(pictures, tmp_path / "out")) == dict.fromkeys(COLOURS, BEIGE)


def test_stopped_and_taken_up_with_other_weights_is_no_mixture(
    pictures, weights, tmp_path, monkeypatch, decoded
):
    stopped(pictures, tmp_path / "out", monkeypatch)
    (weights / "weights").write_bytes(b"other weights")
    decoded.clear()
    encode_images(pictures, tmp_path / "out")
    assert sorted(decoded) == [*COLOURS]


def test_a_picture_that_changes_while_it_is_encoded(pictures, tmp_path, monkeypatch, decoded):
    real_list = encode.images.list_images

    def listed(*args):
        return [
            image._replace(read=changing(image)) if image.id == "c" else image
            for image in real_list(*args)
        ]

    def changing(image):
        contents = [image.read(), image.read() + b" "]
        return lambda: contents.pop(0)

    with monkeypatch.context() as patch:
        patch.setattr(encode.images, "list_images", listed)
        with pytest.raises(ValueError, match="c changed while it was encoded: give the same"):
            encode_images(pictures, tmp_path / "out")
    assert colours(encode_images(pictures, tmp_path / "out")) == COLOURS


def flipped(content, place):
    """With one bit changed, of the last array where there are some."""
    place = place if place > 130 else len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "flipped": lambda content: flipped(content, content.rfind(b"NUMPY") + 130),
    "another": lambda content: b'{"a": [1]}\n',
    "deep": lambda content: b"[" * 100_000,
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_part_is_named_put_aside_and_made_again(
    kind, pictures, tmp_path, monkeypatch, notices
):
    stopped(pictures, tmp_path / "out", monkeypatch)
    part = tmp_path / "out" / "parts" / "0.npz"
    part.write_bytes(DAMAGES[kind](part.read_bytes()))
    damaged = part.read_bytes()
    assert colours(encode_images(pictures, tmp_path / "out")) == COLOURS
    said = notices()
    assert f"{part} cannot be used" in said
    assert "kept as 0.npz.unsound, and made again" in said
    assert part.with_name("0.npz.unsound").read_bytes() == damaged


@pytest.mark.parametrize("name", ["features.npy", "rows.jsonl", "manifest.json"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_of_what_was_finished(kind, name, pictures, tmp_path, notices):
    encode_images(pictures, tmp_path / "out")
    path = tmp_path / "out" / name
    path.write_bytes(DAMAGES[kind](path.read_bytes()))
    assert colours(encode_images(pictures, tmp_path / "out")) == COLOURS
    # A flipped letter of a manifest may be no damage to JSON: then it is of another recipe.
    said = notices()
    assert (
        f"{path} cannot be used" in said or "was made with other weights" in said or name[0] == "m"
    )


COPIES = ("arguments.json", "arguments.copy.json")
each_kind = pytest.mark.parametrize("kind", ["cut", "emptied", "another", "deep"])


@each_kind
@pytest.mark.parametrize("name", COPIES)
def test_damaged_arguments_are_put_aside_and_the_others_taken(
    kind, name, pictures, tmp_path, decoded, notices
):
    out = tmp_path / "out"
    encode_images(pictures, out)
    sound, damaged = (out / name).read_bytes(), DAMAGES[kind]((out / name).read_bytes())
    (out / name).write_bytes(damaged)
    decoded.clear()
    encode_images(pictures, out)
    assert f"{out / name} is damaged (" in notices().replace("\n", "")
    assert (out / f"{name}.unsound").read_bytes() == damaged
    assert (out / name).read_bytes() == sound
    assert not decoded
    (out / name).unlink()
    encode_images(pictures, out)
    assert (out / name).read_bytes() == sound


@each_kind
def test_damaged_arguments_without_a_copy_are_one_sentence(kind, pictures, tmp_path):
    encode_images(pictures, tmp_path / "out")
    for name in COPIES:
        path = tmp_path / "out" / name
        path.write_bytes(DAMAGES[kind](path.read_bytes()))
    with pytest.raises(ValueError, match=r"arguments.json is damaged, .*: use another --out"):
        encode_images(pictures, tmp_path / "out")


@pytest.mark.parametrize("name", COPIES)
def test_damaged_arguments_are_not_taken_for_others(name, pictures, tmp_path):
    encode_images(pictures, tmp_path / "out")
    (tmp_path / "out" / name).write_bytes(b"{")
    with pytest.raises(ValueError, match="was begun with --dtype=float32, not float16"):
        encode_images(pictures, tmp_path / "out", dtype="float16")


def test_features_of_an_earlier_version_are_made_again(pictures, tmp_path, decoded, notices):
    encode_images(pictures, tmp_path / "out")
    metadata = manifest(tmp_path / "out")
    del metadata["recipe_sha256"], metadata["contents_sha256"]
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(metadata))
    decoded.clear()
    encode_images(pictures, tmp_path / "out")
    assert sorted(decoded) == [*COLOURS]
    assert "was made with other weights, settings or versions" in notices()


@pytest.mark.parametrize("name", ["features.npy", "rows.jsonl", "manifest.json"])
def test_stopped_while_all_is_put_together(name, pictures, tmp_path, monkeypatch, decoded):
    encode_images(pictures, tmp_path / "out")
    draw(pictures / "f.png", BEIGE)

    def stop(path, *_):
        if path.name == name:
            raise Stop

    decoded.clear()
    with monkeypatch.context() as patch:
        for writer in ("write_rows", "write_json_lines", "write_record"):
            module = folder.owned if writer == "write_record" else folder
            real = getattr(module, writer)
            patch.setattr(module, writer, lambda path, *a, real=real: stop(path) or real(path, *a))
        with pytest.raises(Stop):
            encode_images(pictures, tmp_path / "out")
    with pytest.raises(ValueError, match=r"has no manifest.json.*run it \(again\)"):
        read(tmp_path / "out")
    assert colours(encode_images(pictures, tmp_path / "out")) == {**COLOURS, "f": BEIGE}
    assert decoded == ["f"]


def test_while_new_ones_are_embedded_the_old_are_there(pictures, tmp_path, monkeypatch):
    encode_images(pictures, tmp_path / "out")
    draw(pictures / "a.png", BEIGE)
    stopped(pictures, tmp_path / "out", monkeypatch, number=0)
    assert colours(read(tmp_path / "out")) == COLOURS


def test_nothing_that_can_be_used_any_more_leaves_the_old(pictures, tmp_path):
    encode_images(pictures, tmp_path / "out")
    for path in pictures.glob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="can be used: the first is not an image"):
        encode_images(pictures, tmp_path / "out")
    assert colours(read(tmp_path / "out")) == COLOURS


def test_nothing_that_can_be_used_any_more_leaves_what_was_embedded_before(
    pictures, tmp_path, monkeypatch
):
    stopped(pictures, tmp_path / "out", monkeypatch)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    for path in pictures.glob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="can be used: the first is not an image"):
        encode_images(pictures, tmp_path / "out")
    assert all(path.read_bytes() == content for path, content in before.items())


def test_one_command_at_a_time_in_a_folder(pictures, tmp_path):
    with (
        locks.alone_in(tmp_path / "out"),
        pytest.raises(ValueError, match=r"Another process writes to .*out: wait for it"),
    ):
        encode_images(pictures, tmp_path / "out")
    assert len(encode_images(pictures, tmp_path / "out").ids) == 5


def test_a_folder_that_cannot_be_made(pictures, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be written to .*: choose another"):
        encode_images(pictures, tmp_path / "file" / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_names_that_are_not_utf8_are_skipped_and_listed(pictures, tmp_path, notices):
    draw(pictures / "caf.png", BEIGE)
    os.rename(pictures / "caf.png", os.fsencode(pictures / "caf") + b"\xe9.png")
    assert colours(encode_images(pictures, tmp_path / "out")) == COLOURS
    skipped = manifest(tmp_path / "out")["skipped"]
    assert [(item["id"], item["reason"]) for item in skipped] == [
        (r"caf\xe9", "has a name that is not UTF-8: rename the file")
    ]
    assert r"Skipped: caf\xe9 has a name" in notices()
    os.rename(os.fsencode(pictures / "caf") + b"\xe9.png", pictures / "café.png")
    assert colours(encode_images(pictures, tmp_path / "out"))["café"] == BEIGE


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_texts_whose_names_are_not_utf8(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("boat")
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "w") as file:
        file.write("pier")
    assert encode_texts(folder, tmp_path / "out").ids.tolist() == ["a"]
    assert manifest(tmp_path / "out")["skipped"][0]["id"] == r"caf\xe9"


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.4e38])
def test_features_that_are_not_finite(bad, pictures, tmp_path, monkeypatch):
    broken = scaled(pretrained.efficientnet_lite0(), bad)
    monkeypatch.setattr(pretrained, "efficientnet_lite0", lambda: broken)
    with pytest.raises(ValueError, match="The features of a by efficientnet-lite0 are not finite"):
        encode_images(pictures, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_features_that_float16_cannot_hold(pictures, tmp_path, monkeypatch):
    large = scaled(pretrained.efficientnet_lite0(), 1000)
    monkeypatch.setattr(pretrained, "efficientnet_lite0", lambda: large)
    with pytest.raises(ValueError, match="of a are too large for float16: use --dtype=float32"):
        encode_images(pictures, tmp_path / "out", dtype="float16")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_pipes_and_devices_are_no_pictures(pictures, tmp_path):
    os.mkfifo(pictures / "pipe.png")
    (pictures / "endless.png").symlink_to("/dev/zero")
    assert colours(encode_images(pictures, tmp_path / "out")) == COLOURS
    skipped = manifest(tmp_path / "out")["skipped"]
    assert {item["id"]: item["reason"] for item in skipped} == dict.fromkeys(
        ("pipe", "endless"), "is no regular file"
    )


def test_names_like_markup_are_shown_as_they_are(pictures, tmp_path, capsys):
    (pictures / "IMG [").mkdir()
    (pictures / "IMG [" / "b].png").write_bytes(b"no image")
    out = tmp_path / "out [red]"
    arguments = ["encode", "--encoder=efficientnet-lite0", f"--data={pictures}", f"--out={out}"]
    assert main.main(arguments) == 0
    said = capsys.readouterr()
    assert "Skipped: IMG [/b] is not an image" in said.err
    # The folder beside it, which the pictures are in, is none of features.
    then = "gentle-clip encode for the other modality, then gentle-clip review with both"
    assert said.out == f"5 rows.\nWritten: {out}.\nNext: {then}\n"

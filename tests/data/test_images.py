"""Images from every place they may be in, and the pixels the encoder gets."""

import io
import json
import os
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.data import images, metadata

RED, BLUE = (255, 0, 0), (0, 0, 255)
BLACK = Image.new("L", (4, 4))


def png(colour=RED, size=(8, 6), **keywords) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG", **keywords)
    return file.getvalue()


def save(image: Image.Image, kind="PNG", **keywords) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **keywords)
    return file.getvalue()


def describe(folder, *rows):
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def names(listed):
    return [image.id for image in listed]


def colour(image):
    return tuple(images.decode(image.read())[0, 0].tolist())


def test_a_folder_and_the_folders_below(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    for name in ("c.PNG", "b/a.png", "b/note.txt", ".hidden.png", "__MACOSX/c.png"):
        (tmp_path / name).write_bytes(png())
    listed = images.list_images(tmp_path)
    assert names(listed) == ["b/a", "c"]
    assert listed[0].split is listed[0].label is None
    assert colour(listed[0]) == RED


def test_files_come_in_the_order_of_their_paths_part_by_part(tmp_path):
    files = ("a/z/1.png", "a/b.png", "a.png", "a-b/c.png", "B.png", "é.png", "c/.x/y.png")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png())
    (tmp_path / "link").symlink_to(tmp_path / "a")  # a folder may lead back to itself
    (tmp_path / "to_file.png").symlink_to(tmp_path / "B.png")
    listed = names(images.list_images(tmp_path))
    paths = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    assert listed == [str(p.with_suffix("")) for p in paths if ".x" not in p.parts]
    assert listed == ["B", "a/b", "a/z/1", "a-b/c", "a", "to_file", "é"]


def test_no_file_is_touched_when_many_are_listed(tmp_path, monkeypatch):
    for number in range(20):
        (tmp_path / f"{number}.png").touch()
    monkeypatch.setattr(os, "stat", None)
    assert len(list(metadata.files_below(tmp_path))) == 20


def test_zip_files_and_what_metadata_says(tmp_path):
    for name, members in (("images-train.zip", "ab"), ("images-test.zip", "c")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(f"{member}.png", png(BLUE if member == "b" else RED))
            archive.writestr("../../outside.txt", "not extracted")
    describe(tmp_path, {"id": "b", "split": "train", "label": 7}, {"id": "c", "split": "test"})
    listed = images.list_images(tmp_path)
    assert names(listed) == ["c", "a", "b"]
    assert [image.split for image in listed] == ["test", None, "train"]
    assert listed[2].label == "7"
    assert colour(listed[2]) == BLUE
    assert names(images.list_images(tmp_path, "train")) == ["b"]
    assert names(images.list_images(tmp_path / "images-test.zip")) == ["c"]
    with pytest.raises(ValueError, match="no items of the split val, only of None, test, train"):
        images.list_images(tmp_path, "val")


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_parquet(form, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [png(BLUE if i == 3 else RED) for i in range(5)]
    column = files if form == "bytes" else [{"bytes": f, "path": None} for f in files]
    about = {"id": [*"abcde"], "label": [0, 1, 0, 1, 0], "size": [1] * 5}
    pq.write_table(pa.table(about | {"image": column}), tmp_path / "x.parquet", row_group_size=2)
    listed = images.list_images(tmp_path)
    assert names(listed) == [*"abcde"]
    assert [image.label for image in listed] == ["0", "1", "0", "1", "0"]
    assert [colour(image) for image in listed] == [RED, RED, RED, BLUE, RED]

    pq.write_table(pa.table({"image": column}), tmp_path / "x.parquet", row_group_size=2)
    assert names(images.list_images(tmp_path / "x.parquet")) == [f"x-{i}" for i in range(5)]
    pq.write_table(pa.table({"size": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="add a column with the bytes"):
        images.list_images(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "has no images: add .jpg, .jpeg, .png"),
        ({"a.txt": b""}, "has no images"),
        ({"a.png": png(), "a.jpg": png()}, "2 images in .* have the id a:"),
        ({"a.zip": b"no zip"}, "a.zip is not a valid zip file"),
        ({"a.png": png(), "metadata.jsonl": b"{"}, "metadata.jsonl, line 1 is not valid JSON"),
        ({"a.png": png(), "metadata.jsonl": b"{}\n3"}, "metadata.jsonl, line 2 is not an object"),
    ],
)
def test_folders_that_cannot_be_used(files, words, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        images.list_images(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="There is no file or folder"):
        images.list_images(tmp_path / "none")


@pytest.mark.parametrize("size", [(224, 224), (500, 300), (300, 500), (20, 33), (1, 1)])
def test_the_centre_of_the_shorter_side(size):
    whole = Image.new("RGB", size, RED)
    whole.paste(BLUE, (size[0] // 2 - 1, size[1] // 2 - 1, size[0] // 2 + 1, size[1] // 2 + 1))
    pixels = images.decode(save(whole))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    y, x = np.argwhere(pixels[..., 2] >= pixels[..., 2].max() - 1).mean(axis=0)
    assert abs(y - 111.5) < 10
    assert abs(x - 111.5) < 10


@pytest.mark.parametrize("size", [(29, 29), (50, 37), (37, 50), (2010, 5641), (225, 300), (9, 2)])
def test_it_is_the_centre_of_the_whole_image_resized(size):
    # Far from black and white, where Pillow clips after each of its two passes.
    pixels = np.random.default_rng(0).integers(96, 160, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    whole = [max(224, round(side * 224 / min(size))) for side in size]
    left, top = ((side - 224) // 2 for side in whole)
    resized = np.asarray(image.resize((whole[0], whole[1]), Image.Resampling.BICUBIC))
    expected = resized[top : top + 224, left : left + 224].astype(int)
    found = images.decode(save(image), 224).astype(int)
    assert np.abs(found - expected).max() <= 2  # it rounds after each as well


def test_large_photographs_are_as_if_read_whole():
    """JPEG files are read at a fraction of their size."""
    rng = np.random.default_rng(0)
    whole = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((2000, 1500))
    photograph, exact = images.decode(save(whole, "JPEG", quality=95)), images.decode(save(whole))
    assert np.abs(photograph.astype(float) - exact).mean() < 1.5


def test_phones_put_small_copies_beside_a_photograph():
    photograph = Image.new("RGB", (8, 8), BLUE)
    content = save(photograph, "MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    assert images.decode(content)[0, 0, 2] > 250


def test_photographs_are_turned_upright():
    whole = Image.new("RGB", (224, 224), RED)
    whole.paste(BLUE, (0, 0, 224, 112))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = images.decode(save(whole, exif=exif))
    assert tuple(pixels[0, 0]) == RED
    assert tuple(pixels[-1, -1]) == BLUE


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (Image.new("L", (4, 4), 100), 100),
        (Image.new("I;16", (4, 4), 100 * 256), 100),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), 255),
        (Image.new("LA", (4, 4), (0, 0)), 255),
        (Image.new("1", (4, 4), 1), 255),
        (Image.new("P", (4, 4), 0), 0),
    ],
    ids=["grey", "16 bits", "transparent", "grey and transparent", "1 bit", "palette"],
)
def test_every_kind_becomes_colours(image, grey):
    np.testing.assert_array_equal(images.decode(save(image)), np.full((224, 224, 3), grey))


def bomb(side: int) -> bytes:
    """A PNG that says it is side x side pixels."""
    content = bytearray(png())
    content[16:24] = side.to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: its file has 0 bytes"),
        (b"GIF89a", "is not an image that Pillow can read"),
        (png()[:-30], "cannot be read as an image: "),
        (save(Image.new("RGB", (90, 90)), "JPEG")[:400], "cannot be read as an image"),
        (bomb(10_000), "cannot be read as an image: .*pixels"),
        (bomb(100_000), "cannot be read as an image: .*pixels"),
        (save(BLACK, "TIFF", save_all=True, append_images=[BLACK]), "it is a stack"),
        (save(Image.new("F", (4, 4)), "TIFF"), "it has 32 bits a pixel"),
    ],
    ids=["empty", "header alone", "cut png", "cut jpeg", "large", "bomb", "stack", "floats"],
)
def test_broken_images(content, words):
    with pytest.raises(ValueError, match=words):
        images.decode(content)


def test_members_that_are_too_large_are_not_read(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10_000))
    (tmp_path / "b.png").write_bytes(bytes(10_000))
    monkeypatch.setattr(images, "MOST_BYTES", 9_999)
    for image in images.list_images(tmp_path):
        with pytest.raises(ValueError, match="has 10000 bytes, more than 9999"):
            image.read()

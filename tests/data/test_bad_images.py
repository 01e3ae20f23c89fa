"""Images as they come: each is what a user expects of it, or one sentence says why not."""

import contextlib
import io
import json
import pathlib
import stat
import struct
import tempfile
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from gentle_clip_jax.data import images

RED, BLUE = (255, 0, 0), (0, 0, 255)


def save(image: Image.Image, kind="PNG", **keywords) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **keywords)
    return file.getvalue()


def plain(colour=RED, size=(8, 6), mode="RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def mean(content: bytes) -> list[int]:
    pixels = images.decode(content, 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    return np.round(pixels.mean(axis=(0, 1))).astype(int).tolist()


def assert_close(found, colour):
    assert np.abs(np.subtract(found, colour)).max() <= 3, found


def test_cmyk():
    assert_close(mean(save(plain((0, 255, 255, 0), mode="CMYK"), "JPEG")), RED)


def test_16_bits_grey_and_in_colour():
    assert mean(save(plain(200 * 256, mode="I;16"))) == [200] * 3
    big_endian = Image.frombytes("I;16B", (4, 4), struct.pack(">H", 200 * 256) * 16)
    assert mean(save(big_endian, "TIFF")) == [200] * 3


def test_palettes_with_and_without_a_transparent_colour():
    image = plain().quantize(4)
    assert mean(save(image)) == list(RED)
    assert mean(save(image, transparency=image.getpixel((0, 0)))) == [255] * 3
    assert mean(save(image, transparency=b"\x00\x80\xff\xff")) == [255] * 3


def test_half_transparent_becomes_half_white():
    assert_close(mean(save(plain((255, 0, 0, 128), mode="RGBA"))), (255, 127, 127))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 100_000)])
def test_tiny_and_very_long(size):
    assert mean(save(plain(size=size))) == list(RED)


def test_the_centre_of_a_very_long_image_is_as_of_a_shorter_one():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 80, 3), dtype=np.uint8)
    shorter, longer = pixels[:, 28:52], pixels
    np.testing.assert_array_equal(
        *(images.decode(save(Image.fromarray(p)), 32) for p in (shorter, longer))
    )


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 0)), (6, (0, 1)), (8, (1, 0))],
)
def test_exif_rotations(orientation, corner):
    image = plain(size=(32, 32))
    image.paste(BLUE, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = images.decode(save(image, exif=exif), 32)
    assert tuple(pixels[8 + 16 * corner[0], 8 + 16 * corner[1]]) == BLUE


def test_a_photograph_with_broken_exif_is_still_one():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow says what it thinks of such a file
        assert_close(mean(save(plain(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")), RED)
        assert_close(mean(save(plain(), "JPEG", exif=b"Exif\x00\x00no such thing")), RED)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_what_moves_the_first_picture(kind):
    keywords = {"lossless": True} if kind == "WEBP" else {}
    content = save(plain(RED), kind, save_all=True, append_images=[plain(BLUE)] * 2, **keywords)
    assert_close(mean(content), RED)


def test_a_wrong_ending_is_no_matter(tmp_path):
    for name, kind in (("a.jpg", "PNG"), ("b.png", "JPEG"), ("c.webp", "GIF"), ("d.gif", "BMP")):
        (tmp_path / name).write_bytes(save(plain(), kind))
    for image in images.list_images(tmp_path):
        assert_close(mean(image.read()), RED)


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>not found</html>",
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_what_is_no_image_is_not_tried(content):
    with pytest.raises(ValueError, match="is not an image that Pillow can read"):
        images.decode(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_cut_short(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = save(Image.fromarray(noise), kind)
    with pytest.raises(ValueError, match=r"^(cannot be read as an image: |is not an image)"):
        images.decode(content[: len(content) // 2])


def test_more_pixels_than_there_should_be(monkeypatch):
    """Whether Pillow's own limit is there, raised or off."""
    content = save(Image.new("1", (10_000, 9_500)))
    for limit in (10**6, 89_478_485, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with pytest.raises(ValueError, match="pixels"):
                images.decode(content)


def test_files_that_vanish_are_named_by_what_is_wrong(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    (image,) = images.list_images(tmp_path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        image.read()


def test_folders_called_like_files_are_folders(tmp_path):
    for name in ("a.png", "b.zip", "c.parquet"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.png" / "d.png").write_bytes(save(plain()))
    assert [image.id for image in images.list_images(tmp_path)] == ["a.png/d"]


@pytest.mark.parametrize("name", ["../up.png", "a/../../up.png", "/etc/up.png", "C:/up.png"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_members_outside_of_their_zip_file(name, slash, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name.replace("/", slash), save(plain()))
    with pytest.raises(ValueError, match=r"a\.zip: its member .*up\.png' has a path outside"):
        images.list_images(tmp_path)


def test_members_that_are_links_or_damaged(tmp_path):
    content = save(plain())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("sound.png", content)
    packed = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(packed.replace(content[:60], content[:59] + b"?"))
    link, sound = images.list_images(tmp_path)
    with pytest.raises(ValueError, match="is a link to another file"):
        link.read()
    with pytest.raises(ValueError, match=r"cannot be read from .*a\.zip: Bad CRC-32"):
        sound.read()


def describe(folder: pathlib.Path, *rows: dict):
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_ids_that_match_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(save(plain()))
    describe(tmp_path, {"id": "a.png", "split": "test"}, {"id": "b.png"})
    with pytest.raises(
        ValueError, match=r"ids look like 'a\.png', but the images have ids like 'a'"
    ):
        images.list_images(tmp_path)
    describe(tmp_path, {"id": "a", "split": "test"}, {"id": "b"})
    assert images.list_images(tmp_path)[0].split == "test"


def test_accents_that_macos_takes_apart_are_the_same(tmp_path):
    (tmp_path / "cafe\u0301.png").write_bytes(save(plain()))
    describe(tmp_path, {"id": "caf\u00e9", "label": "caf\u00e9"})
    assert images.list_images(tmp_path)[0].label == "caf\u00e9"


def test_parquet_without_a_picture_or_broken(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.array([{"bytes": None, "path": "a.png"}, None, {"bytes": b"", "path": None}])
    column = column.cast(pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet")
    for image in images.list_images(tmp_path):
        with pytest.raises(ValueError, match="is empty"):
            images.decode(image.read())
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[:-20])
    with pytest.raises(ValueError, match=r"a\.parquet is not a valid parquet file"):
        images.list_images(tmp_path)


SOUND = [
    save(plain(size=(20, 20)), "JPEG"),
    save(plain(size=(20, 20))),
    save(plain(size=(20, 20)), "WEBP"),
    save(plain(size=(20, 20)), "TIFF", compression="tiff_lzw"),
    save(plain(size=(20, 20)), "GIF"),
]


@st.composite
def damaged(draw: st.DrawFn, sound: list[bytes]) -> bytes:
    """A sound file with some bytes changed, and maybe without its end."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(0, 8))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))])


@settings(max_examples=300, deadline=None)
@given(damaged(SOUND) | st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_an_image_or_a_value_error(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ValueError):
            assert images.decode(content, 16).shape == (16, 16, 3)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", SOUND[1])
        archive.writestr("b/c.png", SOUND[1])
    return file.getvalue()


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "image": [SOUND[1], SOUND[1]]}), file)
    return file.getvalue()


@pytest.mark.parametrize(("name", "sound"), [("a.zip", zipped()), ("a.parquet", parquet())])
def test_any_archive_has_images_or_is_a_value_error(name, sound):
    @settings(max_examples=200, deadline=None)
    @given(damaged([sound]))
    def check(content: bytes):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.write_bytes(content)
            try:
                listed = images.list_images(path)
            except ValueError:
                return
            for image in listed:
                with contextlib.suppress(ValueError):
                    assert isinstance(image.read(), bytes)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()

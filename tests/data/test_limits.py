"""What would take all memory or all time is refused or cut before it does."""

import gzip
import io
import json
import os
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from gentle_clip_jax.data import images, metadata, pixels, prepare, sequences, texts
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.data.published_tokens import PublishedTokenizer
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage import reading

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


@pytest.fixture
def little_memory(monkeypatch):
    """A file may take 1,000,000 bytes."""
    monkeypatch.setattr(reading, "memory", lambda: 4_000_000)


def test_a_share_of_the_memory_that_there_is():
    assert 2**26 < reading.most_bytes() < 2**42


@needs_pipes
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.png", lambda path: images.list_images(path)[0].read()),
        ("a.zip", images.list_images),
        ("a.parquet", images.list_images),
        ("a.jsonl", metadata.read_lines),
        ("a.jsonl", texts.list_texts),
        ("a.csv", texts.list_texts),
        ("a.txt", texts.list_texts),
        ("a.fasta", sequences.read_fasta),
        ("a.npy", read),
        ("a.npz", read),
        ("a.tsv", read),
        ("a.h5ad", read),
        ("a.parquet", read),
        ("a.safetensors", read),
        ("a.csv", lambda path: read_pairs(path, "ab", "ab")),
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_read(kind, name, read, tmp_path):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"is no regular file|There is no file"):
        read(path)


@needs_pipes
def test_a_folder_with_a_pipe_is_prepared_or_refused(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "metadata.jsonl").write_text('{"id": "a", "captions": ["x"]}\n')
    with pytest.raises(ValueError, match="is no regular file"):
        prepare.prepare("folder", tmp_path / "data", tmp_path / "to", max_skipped=0)


def test_arrays_that_unpack_to_too_much(tmp_path, little_memory):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((1000, 300), np.float32))
    with pytest.raises(ValueError, match=r"a.npz cannot be read: has 1200\d+ bytes, more than"):
        read(tmp_path / "a.npz")


def npz(path, content, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("features.npy", content)


def npy(array):
    np.save(file := io.BytesIO(), array)
    return file.getvalue()


def refused_with(path, words, most=10**6):
    """That arrays are refused, and what unpacking them took at most, in bytes."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=words):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_arrays_packed_in_a_way_that_has_no_bounds(method, tmp_path):
    """Python unpacks all of such a member at once, whatever it says of its size."""
    npz(tmp_path / "a.npz", npy(np.zeros((10**6, 10), np.float32)), method)
    packed, size = (tmp_path / "a.npz").read_bytes(), struct.pack("<I", 4 * 10**7 + 128)
    assert packed.count(size) == 2
    (tmp_path / "a.npz").write_bytes(packed.replace(size, struct.pack("<I", 1000)))
    refused_with(tmp_path / "a.npz", r"a.npz cannot be read: is packed in another way than NumPy")


def test_arrays_that_lie_about_what_they_unpack_to(tmp_path):
    """They say a thousand bytes; the header is of forty million, which are there."""
    npz(tmp_path / "a.npz", npy(np.zeros((10**6, 10), np.float32)))
    packed, size = (tmp_path / "a.npz").read_bytes(), struct.pack("<I", 4 * 10**7 + 128)
    (tmp_path / "a.npz").write_bytes(packed.replace(size, struct.pack("<I", 1000)))
    refused_with(tmp_path / "a.npz", r"a.npz cannot be read: ")


def test_arrays_whose_header_is_of_more_than_there_is(tmp_path, little_memory):
    """A header alone of forty terabytes: no such array is made."""
    file = io.BytesIO()
    about = {"shape": (10**12, 10), "fortran_order": False, "descr": "<f4"}
    np.lib.format.write_array_header_1_0(file, about)
    for end in ("z", "y"):
        path = tmp_path / f"a.np{end}"
        npz(path, file.getvalue()) if end == "z" else path.write_bytes(file.getvalue())
        refused_with(path, rf"a.np{end} cannot be read: ")


def test_many_members_of_one_content(tmp_path, little_memory):
    """Each is small enough, and all are the same bytes of the file; together they are too much."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.npy", npy(np.zeros((100, 200), np.float32)))
    refused_with(tmp_path / "a.npz", r"a.npz cannot be read: has 16\d+ bytes, more than 1000000")


def test_coordinates_that_unpack_to_too_much(tmp_path, little_memory):
    pytest.importorskip("tensorflow_datasets")
    from gentle_clip_jax.data.tfds_builders import protein_sets

    bb = np.zeros((200_000, 3, 3), np.int16)
    np.savez_compressed(tmp_path / "coords.npz", bb=bb, offsets=[0, 200_000], id=["a"])
    with pytest.raises(ValueError, match=r"coords.npz cannot be read: has 3600\d+ bytes, more"):
        protein_sets._read_backbones(tmp_path / "coords.npz", ["a"])


def test_a_table_that_unpacks_to_too_much(tmp_path, little_memory):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.table({"id": [*map(str, range(1000))], "features": [[0.0] * 300] * 1000})
    pq.write_table(rows, tmp_path / "a.parquet", use_dictionary=False, compression="gzip")
    with pytest.raises(ValueError, match=r"a.parquet cannot be read: has \d+ bytes, more than"):
        read(tmp_path / "a.parquet")


def test_sequences_that_unpack_to_too_much(tmp_path, little_memory):
    (tmp_path / "a.fasta.gz").write_bytes(gzip.compress(b">a\n" + b"A" * 5_000_000))
    with pytest.raises(ValueError, match=r"a.fasta.gz has \d+ bytes, more than .* decompressed"):
        sequences.read_fasta(tmp_path / "a.fasta.gz")
    (tmp_path / "b.fasta.gz").write_bytes(gzip.compress(b">a\nMKV\n"))
    assert sequences.read_fasta(tmp_path / "b.fasta.gz") == {"a": "MKV"}


def test_texts_that_are_too_much(tmp_path, little_memory):
    (tmp_path / "a.txt").write_text("a" * 1_000_001)
    with pytest.raises(ValueError, match=r"a.txt has 1000001 bytes, more than 1000000"):
        texts.list_texts(tmp_path / "a.txt")


LONG = "a" * 1001


@pytest.mark.parametrize("key", ["id", "split", "label"])
def test_long_ids_are_refused_where_they_are(key, tmp_path):
    row = {"id": "b", "text": "c"} | {key: LONG}
    (tmp_path / "x.jsonl").write_text(json.dumps({"text": "a"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(
        ValueError, match=r"x.jsonl, line 2 has an id, .* of 1001 characters: shorten"
    ):
        texts.list_texts(tmp_path / "x.jsonl")
    (tmp_path / "x.csv").write_text(f"text,{key}\na,b\nc,{LONG}\n")
    with pytest.raises(ValueError, match=r"x.csv, line 3 has an id, .* of 1001 characters"):
        texts.list_texts(tmp_path / "x.csv")


def test_one_long_id_among_many_rows_takes_no_memory(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [*map(str, range(2000)), "a" * 10**6]
    pq.write_table(pa.table({"id": ids, "x": [1.0] * 2001}), tmp_path / "a.parquet")
    with pytest.raises(
        ValueError,
        match=r"row 2000 \(counted from 0\) has an id, .* of 1000000 characters: shorten it",
    ):
        read(tmp_path / "a.parquet")


class Letters:
    """Rules of a tokenizer whose tokens are letters; notes how long the texts are."""

    longest = 0

    def num_special_tokens_to_add(self, _):
        return 0

    def enable_truncation(self, most):
        self.most = most

    def encode_batch(self, batch):
        self.longest = max(map(len, batch))
        made = [
            type("Encoding", (), {"ids": [*map(ord, text)], "overflowing": []}) for text in batch
        ]
        return [made[k] for k in range(len(batch))]


def test_texts_are_cut_before_they_are_tokenized():
    rules = Letters()
    _, num_cut = PublishedTokenizer(rules, 0).encode(["b", "a" * 10**6], 64)
    assert (rules.longest, num_cut) == (64 * 256, 1)


def test_a_picture_of_absurd_proportions_is_refused():
    Image.new("1", (80_000_000, 1)).save(file := io.BytesIO(), "PNG")
    with pytest.raises(ValueError, match="it is 80000000 x 1 pixels, more than a million a side"):
        pixels.decode(file.getvalue())


def test_a_picture_that_memory_does_not_suffice_for(monkeypatch):
    monkeypatch.setattr(pixels, "_rgb", lambda image: (_ for _ in ()).throw(MemoryError))
    Image.new("L", (3, 3)).save(file := io.BytesIO(), "PNG")
    with pytest.raises(ValueError, match="cannot be read as an image: MemoryError"):
        pixels.decode(file.getvalue())


@pytest.mark.parametrize("kind", ["broken when written", "broken when read"])
def test_exif_that_pillow_cannot_write_turns_the_picture_all_the_same(kind, monkeypatch):
    image = Image.new("RGB", (32, 32), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(file := io.BytesIO(), "PNG", exif=exif)

    def fail(*_):
        raise TypeError("bad operand type for abs(): 'str'")

    monkeypatch.setattr(Image.Exif, "tobytes" if "written" in kind else "load", fail)
    blue = pixels.decode(file.getvalue(), 32)[..., 2] > 128
    assert blue[8, 24 if "written" in kind else 8]
    assert blue.mean() == 0.25


def png_header(width, height):
    """A picture of so many pixels in a hundred bytes."""

    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    about = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + about + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def gif_header(width, height):
    about = struct.pack("<HH", width, height)
    return b"GIF89a" + about + b"\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1\0;"


def bmp_header(width, height):
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + about


@pytest.mark.parametrize("header", [png_header, gif_header, bmp_header])
@pytest.mark.parametrize("side", [9_500, 30_000, 65_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(header, side, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")  # as users have it
        pixels._pillow.cache_clear()
        with pytest.raises(ValueError, match=r"as an image: it has more than 90 million pixels$"):
            pixels.decode(header(side, side))
    assert not warned


def test_a_zip_file_that_lies_about_what_is_in_it(tmp_path):
    """It says that ten bytes are packed; a hundred million are."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10**8))
    packed = (tmp_path / "a.zip").read_bytes()
    size = struct.pack("<I", 10**8)
    assert packed.count(size) == 2
    (tmp_path / "a.zip").write_bytes(packed.replace(size, struct.pack("<I", 10)))
    (image,) = images.list_images(tmp_path / "a.zip")
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"cannot be read from .*a.zip: Bad CRC-32"):
        image.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_file_packed_in_a_way_that_has_no_bounds(method, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.png", bytes(10**6))
    (image,) = images.list_images(tmp_path / "a.zip")
    with pytest.raises(ValueError, match=r"by another method than deflate: make .*a.zip again"):
        image.read()


def test_a_member_larger_than_a_picture_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST_BYTES", 10**5)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10**6))
    (image,) = images.list_images(tmp_path / "a.zip")
    with pytest.raises(ValueError, match="has 1000000 bytes, more than 100000"):
        image.read()

"""What would take all memory or all time is refused or cut before it does."""

import gzip
import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax import reading
from gentle_clip_jax.data import embeddings, images, metadata, pixels, prepare, sequences, texts
from gentle_clip_jax.data.published_tokens import PublishedTokenizer

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
        ("a.npy", embeddings.read),
        ("a.npz", embeddings.read),
        ("a.tsv", embeddings.read),
        ("a.h5ad", embeddings.read),
        ("a.parquet", embeddings.read),
        ("a.safetensors", embeddings.read),
        ("a.csv", lambda path: embeddings.read_pairs(path, "ab", "ab")),
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
    (tmp_path / "data" / "images").mkdir(parents=True)
    os.mkfifo(tmp_path / "data" / "images" / "a.png")
    (tmp_path / "data" / "captions.jsonl").write_text('{"id": "a", "captions": ["x"]}\n')
    with pytest.raises(ValueError, match="is no regular file"):
        prepare.prepare("folder", tmp_path / "data", tmp_path / "to", max_skipped=0)


def test_arrays_that_unpack_to_too_much(tmp_path, little_memory):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((1000, 300), np.float32))
    with pytest.raises(ValueError, match=r"a.npz cannot be read: has 1200\d+ bytes, more than"):
        embeddings.read(tmp_path / "a.npz")


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
        embeddings.read(tmp_path / "a.parquet")


def test_sequences_that_unpack_to_too_much(tmp_path, little_memory):
    (tmp_path / "a.fasta.gz").write_bytes(gzip.compress(b">a\n" + b"A" * 5_000_000))
    with pytest.raises(ValueError, match=r"a.fasta.gz has \d+ bytes, more than .* unpacked"):
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
    with pytest.raises(ValueError, match=r"x.jsonl, line 2 has an id, .* of 1001 letters: shorten"):
        texts.list_texts(tmp_path / "x.jsonl")
    (tmp_path / "x.csv").write_text(f"text,{key}\na,b\nc,{LONG}\n")
    with pytest.raises(ValueError, match=r"x.csv, row 1 has an id, .* of 1001 letters"):
        texts.list_texts(tmp_path / "x.csv")


def test_one_long_id_among_many_rows_takes_no_memory(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [*map(str, range(2000)), "a" * 10**6]
    pq.write_table(pa.table({"id": ids, "x": [1.0] * 2001}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="has 1000000 letters in ids, row 2000: shorten it"):
        embeddings.read(tmp_path / "a.parquet")


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
    with pytest.raises(ValueError, match="it is 80000000 x 1 pixels, longer than a million"):
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


READ_UNDER_LIMIT = """
import pathlib, resource, sys
import numpy, PIL.Image, pyarrow.parquet, safetensors.numpy, tokenizers
from hypothesis import given, settings, strategies as st
from gentle_clip_jax.data import embeddings, images, metadata, pixels, sequences, texts
from gentle_clip_jax.encoders.published import weight_files

def read_pictures(path):
    for image in images.list_images(path):
        pixels.decode(image.read(), 8)

readers = {
    ".npy": embeddings.read, ".npz": embeddings.read, ".parquet": embeddings.read,
    ".safetensors": weight_files.read_safetensors, ".fasta": sequences.read_fasta,
    ".gz": sequences.read_fasta, ".jsonl": texts.list_texts, ".csv": texts.list_texts,
    ".bin": weight_files.read_pth, ".zip": read_pictures, ".png": read_pictures,
}
folder, tries = pathlib.Path(sys.argv[1]), int(sys.argv[2])
PIL.Image.init()
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
counts = {"read": 0, "refused": 0}
changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)

def fuzz(sound, damaged):
    @settings(max_examples=tries, deadline=None, derandomize=True, database=None)
    @given(changes, st.just(1.0) | st.floats(0, 1))
    def check(changes, share):
        content = bytearray(sound)
        for place, value in changes:
            content[int(place * len(content))] = value
        damaged.write_bytes(content[: int(share * len(content))])
        try:
            readers[damaged.suffix](damaged)
            counts["read"] += 1
        except ValueError as error:
            assert str(error).strip()
            counts["refused"] += 1

    check()

for path in sorted(folder.iterdir()):
    fuzz(path.read_bytes(), folder.parent / f"damaged{path.suffix}")
print(*counts.values())
"""


def sound_files(folder):
    """One of each kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    features = np.arange(24, dtype=np.float32).reshape(6, 4)
    np.save(folder / "a.npy", features)
    np.savez(folder / "a.npz", features=features, ids=np.array([*"abcdef"]))
    pq.write_table(
        pa.table({"id": [*"abcdef"], "features": features.tolist()}), folder / "a.parquet"
    )
    save_file({"features": features}, folder / "a.safetensors")
    (folder / "a.fasta").write_text(">a\nMKVL\n>b\nGGG\n")
    (folder / "a.gz").write_bytes(gzip.compress(b">a\nMKVL\n>b\nGGG\n"))
    (folder / "a.jsonl").write_text('{"id": "a", "text": "b"}\n{"id": "c", "text": "d"}\n')
    (folder / "a.csv").write_text("id,text\na,b\nc,d\n")
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", (folder / "a.png").read_bytes())
    if importlib.util.find_spec("torch"):
        import torch

        torch.save({"a": torch.ones(3, 4)}, folder / "a.bin")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_every_reader_stays_within_memory_and_time(tmp_path):
    """Damaged files of every kind, read by a process with 600 MiB and four minutes to spare."""
    (tmp_path / "sound").mkdir()
    sound_files(tmp_path / "sound")
    command = [sys.executable, "-W", "ignore", "-c", READ_UNDER_LIMIT, str(tmp_path / "sound")]
    done = subprocess.run([*command, "300", "240"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    read, refused = map(int, done.stdout.split())
    assert read > 100
    assert refused > 100

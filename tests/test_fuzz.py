"""Every reader of files, given sound files that were damaged at random: a result or a ValueError.

No error of another kind, no hang, no memory beyond a bound.
"""

import io
import json
import pathlib
import signal
import tempfile
import tracemalloc
import zipfile

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gentle_clip_jax.data import embeddings, images, metadata, pixels, sequences, texts
from gentle_clip_jax.encoders.published import weight_files
from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.runs.read import read_run
from gentle_clip_jax.training import bad_step

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
_BOUND = 64 * 2**20  # bytes
_PATIENCE = 20  # seconds
_RNG = np.random.default_rng(0)
_ROWS = _RNG.normal(size=(6, 4)).astype(np.float32)


def of_npy():
    np.save(file := io.BytesIO(), _ROWS)
    return file.getvalue()


def of_npz():
    np.savez(file := io.BytesIO(), features=_ROWS, ids=np.array([*"abcdef"]))
    return file.getvalue()


def of_safetensors():
    from safetensors.numpy import save

    return save({"features": _ROWS})


def of_parquet():
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"id": [*"abcdef"], "features": _ROWS.tolist()})
    parquet.write_table(table, file := io.BytesIO())
    return file.getvalue()


def of_picture(kind):
    from PIL import Image

    Image.fromarray(_RNG.integers(256, size=(12, 9, 3), dtype=np.uint8)).save(
        file := io.BytesIO(), kind
    )
    return file.getvalue()


def of_zip():
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.png", "b/c.jpg"):
            archive.writestr(name, of_picture("PNG" if name[-3:] == "png" else "JPEG"))
        archive.writestr("metadata.jsonl", json.dumps({"file_name": "a.png", "text": "a word"}))
    return file.getvalue()


def of_lines():
    rows = ({"file_name": f"{k}.png", "text": f"text {k}", "label": "a"} for k in range(4))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def of_metrics():
    rows = ({"step": k, "kind": "train", "loss/total": 1.5} for k in range(4))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def read_images(path):
    for image in images.list_images(path):
        pixels.decode(image.read(), 8)


def read_run_with(name, **others):
    """A run folder in which one file is given, and the others are sound."""

    def read(path):
        folder = path.parent
        for other, content in others.items():
            (folder / other.replace("_", ".")).write_text(content)
        path.replace(folder / name)
        return read_run(folder)

    return read


def read_bad_step(path):
    record = {"step": 3, "metrics": {"loss/clip": "nan"}, "rows": {}, "matched_names": []}
    (path.parent / "bad_step_3.json").write_text(json.dumps(record))
    path.replace(path.parent / "bad_step_3.npz")
    return bad_step.read(path.parent / "bad_step_3.json")


def of_batch():
    np.savez(file := io.BytesIO(), **{"matched/x": _ROWS, "matched/y": _ROWS})
    return file.getvalue()


def of_evaluated():
    arrays = dict.fromkeys(("x_initial", "y_initial", "x", "y"), _ROWS)
    pictures = np.zeros((6, 3, 3), np.uint8)
    np.savez_compressed(
        file := io.BytesIO(), **arrays, names=np.array([*"abcdef"]), pictures=pictures, set="test"
    )
    return file.getvalue()


def of_pth():
    torch = pytest.importorskip("torch")
    torch.save({"a.weight": torch.ones(3, 4), "b": torch.arange(5)}, file := io.BytesIO())
    return file.getvalue()


CONFIG = json.dumps({"seed": 0, "train": {"steps": 3}}).encode()
READERS = {
    "embeddings.npy": (of_npy, embeddings.read),
    "embeddings.npz": (of_npz, embeddings.read),
    "embeddings.safetensors": (of_safetensors, embeddings.read),
    "embeddings.parquet": (of_parquet, embeddings.read),
    "weights.safetensors": (of_safetensors, weight_files.read_safetensors),
    "picture.png": (lambda: of_picture("PNG"), lambda p: pixels.decode(p.read_bytes(), 8)),
    "picture.jpg": (lambda: of_picture("JPEG"), lambda p: pixels.decode(p.read_bytes(), 8)),
    "picture.gif": (lambda: of_picture("GIF"), lambda p: pixels.decode(p.read_bytes(), 8)),
    "pictures.zip": (of_zip, read_images),
    "metadata.jsonl": (of_lines, metadata.read_lines),
    "texts.jsonl": (of_lines, texts.list_texts),
    "texts.csv": (lambda: b"id,text\na,one\nb,two\n", texts.list_texts),
    "pairs.csv": (lambda: b"x,y\na,a\nb,c\n", lambda p: embeddings.read_pairs(p, "ab", "ac")),
    "texts.txt": (lambda: b"one\ntwo\n", texts.list_texts),
    "proteins.fasta": (lambda: b">a\nMKVL\nAA\n>b\nGGG\n", sequences.read_fasta),
    "config.json": (lambda: CONFIG, lambda path: read_config(path.parent)),
    "lines.jsonl": (of_metrics, read_run_with("metrics.jsonl", config_json="{}")),
    "run_info.json": (lambda: CONFIG, read_run_with("run.json", config_json="{}")),
    "bad_step.npz": (of_batch, read_bad_step),
    "evaluated.npz": (of_evaluated, read_run_with("embeddings.npz", config_json="{}")),
    "weights.pth": (of_pth, weight_files.read_pth),
}


@st.composite
def damage(draw):
    """A function that damages bytes in up to four places."""
    number = st.integers(0, 2**16)
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat", "zero"]), number, number),
            min_size=1,
            max_size=4,
        )
    )

    def apply(content):
        for kind, place, amount in steps:
            at = place % (len(content) + 1)
            few = amount % 40 + 1
            head, tail = content[:at], content[at:]
            if kind == "flip" and tail:
                content = head + bytes([tail[0] ^ (amount % 255 + 1)]) + tail[1:]
            elif kind == "cut":
                content = head
            elif kind == "insert":
                content = head + bytes((amount * k) % 256 for k in range(1, few)) + tail
            elif kind == "repeat":
                content = head + tail[:few] * 3 + tail
            elif kind == "zero":
                content = head + bytes(len(tail[:few])) + tail[few:]
        return content

    return apply


def too_long(*_):
    raise AssertionError(f"it goes on for more than {_PATIENCE} s")


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name):
    make, read = READERS[name]
    sound = make()

    @hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
    @hypothesis.given(damage())
    def check(damaged):
        content = damaged(sound)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.write_bytes(content)
            signal.signal(signal.SIGALRM, too_long)
            signal.alarm(_PATIENCE)
            tracemalloc.start()
            said = "nothing"
            try:
                read(path)
            except ValueError as error:
                said = str(error)
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                signal.alarm(0)
            assert said.strip()
            assert peak < _BOUND

    check()


@pytest.mark.parametrize("name", READERS)
def test_a_sound_file_is_read(name, tmp_path):
    make, read = READERS[name]
    (tmp_path / name).write_bytes(make())
    read(tmp_path / name)

"""Every reader of foreign bytes, a sound file for each, and how files are damaged at random.

`python fuzz_readers.py NUMBER NAME...` reads NUMBER damaged files of each name within 600 MiB of
memory more than it has and 10 seconds each, and says how many were read and how many were refused.
"""

import collections
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tempfile
import zipfile
from unittest import mock

import hypothesis
import numpy as np
from hypothesis import strategies as st

from gentle_clip_jax.aligners import kinds, saved
from gentle_clip_jax.data import (
    images,
    metadata,
    pixels,
    published_tokens,
    sequences,
    texts,
)
from gentle_clip_jax.data.pairs import read_pairs
from gentle_clip_jax.encoders.published import checkpoints, weight_files
from gentle_clip_jax.features import arguments, kept
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.pairs import warn_stale
from gentle_clip_jax.features.read import read
from gentle_clip_jax.matching.scores import read_scores
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.progress import Progress, drawing
from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.runs.read import read_run
from gentle_clip_jax.searching.index import open_index
from gentle_clip_jax.storage import reading
from gentle_clip_jax.storage.digests import sha256_of
from gentle_clip_jax.storage.records import checked
from gentle_clip_jax.tasks.proteins import sets, structures

SPARE, PATIENCE = 600 * 2**20, 10  # bytes; seconds of one file
_RNG = np.random.default_rng(0)
# A review without an answer.
_UNANSWERED = mock.Mock(answers=list, standing=mock.Mock(known=[]))
_ROWS = _RNG.normal(size=(6, 4)).astype(np.float32)
_IDS = [*"abcdef"]


_CIF = """group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id
label_entity_id label_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv
auth_seq_id auth_comp_id auth_asym_id auth_atom_id pdbx_PDB_model_num"""


def of_npy():
    np.save(file := io.BytesIO(), _ROWS)
    return file.getvalue()


def of_npz(**arrays):
    np.savez(file := io.BytesIO(), **arrays)
    return file.getvalue()


def of_safetensors():
    from safetensors.numpy import save

    return save({"features": _ROWS})


def of_parquet(**columns):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), file := io.BytesIO())
    return file.getvalue()


def of_picture(kind):
    from PIL import Image

    picture = Image.fromarray(_RNG.integers(256, size=(12, 9, 3), dtype=np.uint8))
    picture.save(file := io.BytesIO(), kind)
    return file.getvalue()


def of_zip():
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.png", "b/c.jpg"):
            archive.writestr(name, of_picture("PNG" if name[-3:] == "png" else "JPEG"))
    return file.getvalue()


def of_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def of_json(content):
    return json.dumps(content).encode()


def of_captions():
    rows = ({"file_name": f"{k}.png", "text": f"text {k}", "label": "a"} for k in range(4))
    return of_lines(*rows)


def of_metrics():
    rows = ({"step": k, "kind": "train", "loss/total": 1.5} for k in range(4))
    return of_lines(*(checked(row, digits=8) for row in rows))


def of_evaluated():
    arrays = dict.fromkeys(("x_initial", "y_initial", "x", "y"), _ROWS)
    pictures = np.zeros((6, 3, 3), np.uint8)
    return of_npz(**arrays, names=np.array(_IDS), pictures=pictures, set="test")


def of_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "boat", "pier"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str().encode()


def of_pdb():
    lines = (
        f"ATOM  {number:5d}  {name:<3} ALA A{residue:4d}    {residue:8.3f}{number:8.3f}{0:8.3f}"
        f"  1.00  0.00           {name[0]}\n"
        for residue in range(1, 4)
        for number, name in enumerate(("N", "CA", "C"), start=3 * residue)
    )
    return ("".join(lines) + "END\n").encode()


def of_cif():
    rows = (
        f"ATOM {number} {name[0]} {name} . ALA A 1 {residue} ? {residue}.0 {number}.0 0.0 1.0 0.0 "
        f"{residue} ALA A {name} 1\n"
        for residue in range(1, 4)
        for number, name in enumerate(("N", "CA", "C"), start=3 * residue)
    )
    head = "".join(f"_atom_site.{name}\n" for name in _CIF.split())
    return f"data_X\nloop_\n{head}{''.join(rows)}#\n".encode()


def of_backbones():
    backbone = np.zeros((12, 3, 3), np.int16)
    return of_npz(id=np.array(["a", "b"]), offsets=np.array([0, 6, 12]), bb=backbone)


def read_picture(path):
    pixels.decode(path.read_bytes(), 8)


def read_images(path):
    for image in images.list_images(path):
        pixels.decode(image.read(), 8)


def beside(name, reader, **others):
    """A reader of a folder in which one file is given, and the others, bytes by name, are sound."""

    def read_beside(path):
        folder = path.parent / "folder"
        folder.mkdir()
        (folder / name).parent.mkdir(exist_ok=True)
        for other, content in others.items():
            (folder / other.replace("__", ".")).write_bytes(content)
        path.replace(folder / name)
        return reader(folder)

    return read_beside


def read_tokens(folder):
    return published_tokens.read_tokenizer(folder)(["a boat", "pier"], 8)


def open_journal(folder):
    Journal(folder / "pairs.csv", np.array([*"ab"]), np.array([*"ac"])).close()


def read_kept(folder):
    found = kept.Kept("", [], {}, {})
    kept.read_parts(folder, "r", found)


def check_begun(folder):
    arguments.check_folder(folder, {"encoder": "minilm"})


CONFIG = of_json(checked({"seed": 0, "train": {"steps": 3}}))
BERT = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "pad_token_id": 0}
WEIGHTS = of_safetensors()
ALIGNER = {"format": saved._FORMAT, "arrays": "a", "sha256": sha256_of(WEIGHTS), "metadata": {}}
ALIGNER |= {"parts": {"x": {"array": "features"}, "y": {"number": 1}}}
EVALUATED = {"metrics": {"r1": {"value": 0.5, "low": 0.4, "high": 0.6}}, "step": 3}
ANSWER = {"number": 1, "y": "a", "kind": "match", "x": "a", "shown": ["a"], "time": "now"}
ROWS, GIVEN = "rows-0123456789abcdef.npy", Collection(_ROWS, np.array(_IDS))
INDEX = {"engine": "exact", "built_from": {}, "parts": {"rows": ROWS}}
INDEX |= {"sha256": {ROWS: hashlib.sha256(of_npy()).hexdigest()}}
PAIRS = b"x,y\na,a\nb,c\n"
SCORES = b"x;y;score\na;a;0,5\na;b;0,25\nb;b;1,0\n"
DOMAINS = {"id": ["a", "b"], "split": ["train"] * 2, "cath_class": ["1"] * 2}
DOMAINS |= {"sequence": ["ACDEFG"] * 2}
STATES = {"chain": ["a", "b"], "sequence": ["ACD", "GG"], "ss8": ["HHH", "EE"]}

ARRAYS = {
    "embeddings.npy": (of_npy, read),
    "embeddings.npz": (lambda: of_npz(features=_ROWS, ids=np.array(_IDS)), read),
    "embeddings.safetensors": (of_safetensors, read),
    "scores.parquet": (
        lambda: of_parquet(x=[*"aab"], y=[*"abb"], score=[0.5, 0.25, 1.0]), read_scores
    ),
    "embeddings.parquet": (
        lambda: of_parquet(id=_IDS, features=_ROWS.tolist()), read
    ),
    "weights.safetensors": (of_safetensors, weight_files.read_safetensors),
    "part.npz": (
        lambda: of_npz(recipe_sha256="r", digests='["a"]', reasons="[null]", features=_ROWS[:1]),
        beside("parts/0.npz", read_kept),
    ),
    "evaluated.npz": (of_evaluated, beside("embeddings.npz", read_run, config__json=CONFIG)),
    "coords.npz": (
        of_backbones,
        beside(
            "coords.npz",
            sets.read,
            domains__parquet=of_parquet(**DOMAINS, cath_topology=["1"] * 2),
        ),
    ),
    "chains.parquet": (
        lambda: of_parquet(**STATES, split=["train"] * 2, ec=["1.1"] * 2),
        beside("chains.parquet", sets.read),
    ),
}  # fmt: skip
PICTURES = {
    f"picture.{kind}": (lambda kind=kind: of_picture(kind), read_picture)
    for kind in ("png", "jpeg", "gif", "webp", "tiff", "bmp")
} | {
    "pictures.zip": (of_zip, read_images),
    "pictures.parquet": (
        lambda: of_parquet(id=["a", "b"], image=[of_picture("PNG"), of_picture("JPEG")]),
        read_images,
    ),
}  # fmt: skip
TEXTS = {
    "metadata.jsonl": (of_captions, metadata.read_lines),
    "texts.jsonl": (of_captions, texts.list_texts),
    "texts.csv": (lambda: b"id,text\na,one\nb,two\n", texts.list_texts),
    "texts.tsv": (lambda: b"id\ttext\na\tone\nb\ttwo\n", texts.list_texts),
    "texts.txt": (lambda: b"one\ntwo\n", texts.list_texts),
    "pairs.csv": (lambda: PAIRS, lambda path: read_pairs(path, "ab", "ac")),
    "scores.csv": (lambda: SCORES, read_scores),
    "proteins.fasta": (lambda: b">a\nMKVL\nAA\n>b\nGGG\n", sequences.read_fasta),
    "proteins.gz": (lambda: gzip.compress(b">a\nMKVL\nAA\n>b\nGGG\n"), sequences.read_fasta),
    "protein.pdb": (of_pdb, structures.read_chains),
    "protein.cif": (of_cif, structures.read_chains),
    "log.jsonl": (
        lambda: of_lines(ANSWER),
        beside(
            "pairs.csv.review/log.jsonl",
            open_journal,
            **{"pairs.csv": PAIRS, "pairs.csv.review/given.csv": PAIRS},
        ),
    ),
}  # fmt: skip
SETTINGS = {
    "config.json": (lambda: CONFIG, beside("config.json", read_config)),
    "metrics.jsonl": (of_metrics, beside("metrics.jsonl", read_run, config__json=CONFIG)),
    "run.json": (
        lambda: of_json(checked({"seed": 0, "seconds": 1.5})),
        beside("run.json", read_run, config__json=CONFIG),
    ),
    "evaluation.json": (
        lambda: of_json(EVALUATED), beside("evaluation.json", read_run, config__json=CONFIG)
    ),
    "arguments.json": (
        lambda: of_json(checked({"encoder": "minilm"})), beside("arguments.json", check_begun)
    ),
    "aligner.json": (
        lambda: of_json({**ALIGNER, "check": sha256_of(ALIGNER)}),
        beside("aligner.json", lambda path: saved.read(path, kinds.kind), a=WEIGHTS),
    ),
    "encoder.json": (
        lambda: of_json(BERT),
        beside("config.json", checkpoints.find, model__safetensors=WEIGHTS),
    ),
    "index.json": (
        lambda: of_json({"weight_map": {"features": "model.safetensors"}}),
        beside(
            "model.safetensors.index.json",
            lambda folder: weight_files.read_weights(folder / "model.safetensors.index.json"),
            model__safetensors=WEIGHTS,
        ),
    ),
    "tokenizer.json": (of_tokenizer, beside("tokenizer.json", read_tokens)),
    "vocab.txt": (
        lambda: b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nboat\npier\n", beside("vocab.txt", read_tokens)
    ),
    "manifest.json": (
        lambda: of_json(checked(INDEX)),
        beside("manifest.json", lambda folder: open_index(folder, {}), **{ROWS: of_npy()}),
    ),
    "matches.json": (
        lambda: of_json(checked({"built_from": {"x": GIVEN.sha256, "y": GIVEN.sha256}})),
        beside("matches.json", lambda folder: warn_stale(folder / "a.csv", GIVEN, GIVEN)),
    ),
    "review_curve.json": (
        lambda: of_json([{"pairs": 9, "recall": 0.5, "low": 0.4, "high": 0.6}]),
        lambda path: drawing(Progress(len, path).points(), _UNANSWERED),
    ),
    "any.json": (lambda: of_json({"a": [1, {"b": None}]}), reading.read_json),
}  # fmt: skip
READERS = ARRAYS | PICTURES | TEXTS | SETTINGS


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


def read_or_refused(name, content):
    """Whether a reader took the content; if not it said why, in a ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        path.write_bytes(content)
        try:
            READERS[name][1](path)
        except ValueError as error:
            if not str(error).strip():
                raise AssertionError("a refusal says nothing") from error
            return "refused"
    return "read"


def main(number, *names):
    """Reads damaged files under limits of memory and time."""
    import resource

    sound = {name: READERS[name][0]() for name in names}
    for name in names:  # loads what it needs, which counts for what there is
        read_or_refused(name, sound[name])
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
    reading.memory.cache_clear()
    for name in names:
        print(name, end=" ", file=sys.stderr, flush=True)
        counts = read_damaged(name, sound[name], int(number))
        print(f"{name} {counts['read']} {counts['refused']}", flush=True)


def read_damaged(name, sound, number):
    """How many of so many damaged files were read, and how many refused."""
    counts = collections.Counter()

    @hypothesis.settings(
        max_examples=number, deadline=1000 * PATIENCE, derandomize=True, database=None
    )
    @hypothesis.given(damage())
    def check(damaged):
        counts[read_or_refused(name, damaged(sound))] += 1

    check()
    return counts


if __name__ == "__main__":
    main(*sys.argv[1:])

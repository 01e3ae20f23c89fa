"""Collections for benchmarks/predictions.py: features of three real data sets and of drawings.

Each collection is a folder of x.npz, y.npz (features and ids), partners.csv (every true pair) and
pairs.csv (the pairs that the code is given). Items are numbered anew and shuffled, so that neither
ids nor rows tell which belong together. Once made, a collection is never changed: two runs of
predictions.py can only be compared on the same features.
"""

import csv
import json
import pathlib
import subprocess
import sys

import numpy as np

ITEMS, SEED = 1500, 0
# Splits of captioned images, in this order, and how many pairs are given.
IMAGES = {
    "aerial": (("rsicd", "test"), ("ucm-captions", "test"), ("ucm-captions", "val")),
    "photographs": (("flickr8k", "test"), ("flickr8k", "val")),
}
PAIRS = {"aerial": 104, "photographs": 60, "proteins": 300, "drawings": 60}
NUM_DRAWINGS = 500
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
# Amino acids that replace each other in evolution count as one where three in a row are counted.
GROUPS = ("AST", "C", "DE", "FWY", "G", "HNQ", "ILMV", "KR", "P")
Rows = tuple[np.ndarray, list[str]]  # features [r, d], and the item of each row


def prepare(name: str, data: pathlib.Path, folder: pathlib.Path, code: pathlib.Path) -> None:
    """Write one collection; encoded parts go to made/ beside it and are reused."""
    if (folder / name / "pairs.csv").exists():
        return
    made = folder / "made"
    if name in IMAGES:
        x, y, partners = captioned_images(IMAGES[name], data, made, code)
    elif name == "proteins":
        x, y, partners = proteins(data / "uniprot-names", made, code)
    else:
        x, y, partners = drawings(made, code)
    save(folder / name, x, y, partners, PAIRS[name])


def captioned_images(splits, data: pathlib.Path, made: pathlib.Path, code: pathlib.Path):
    """Images and all captions of each."""
    parts: tuple[list[Rows], list[Rows]] = ([], [])
    for (data_set, split), side in ((one, side) for one in splits for side in (0, 1)):
        encoder, kind = (("efficientnet-lite0", "images"), ("minilm", "captions"))[side]
        out = made / f"{data_set}-{split}" / kind
        encode(encoder, data / data_set, out, code, f"--split={split}")
        features, ids = read(out)
        parts[side].append((features, [f"{data_set}/{id_}" for id_ in ids]))
    x, y = (
        (np.concatenate([rows for rows, _ in side]), [id_ for _, ids in side for id_ in ids])
        for side in parts
    )
    kept = list(dict.fromkeys(x[1]))[:ITEMS]
    return x, y, [(id_, id_) for id_ in kept]


def proteins(data: pathlib.Path, made: pathlib.Path, code: pathlib.Path):
    """Counts of amino acids, and names, none twice, of proteins that are unlike each other."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(data / "proteins.parquet", columns=["sequence", "name"]).to_pydict()
    order = np.random.default_rng(SEED).permutation(len(table["name"]))
    of_name = {table["name"][i]: table["sequence"][i] for i in order[: 4 * ITEMS]}
    names, sequences = list(of_name), list(of_name.values())
    kept = unlike(sequences)[:ITEMS]
    texts = made / "names"
    texts.mkdir(parents=True, exist_ok=True)
    for i in kept:
        (texts / f"{i}.txt").write_text(names[i], encoding="utf-8")
    encode("minilm", texts, made / "names-features", code)
    x = np.stack([counts(sequences[i]) for i in kept]), [str(i) for i in kept]
    return x, read(made / "names-features"), [(str(i), str(i)) for i in kept]


def counts(sequence: str) -> np.ndarray:
    """Features [1150]: roots of how often single acids, two and, in 9 groups, three in a row come.

    The last is the logarithm of the length.
    """
    acids = np.array([LETTERS.find(letter) for letter in sequence])
    acids = acids[acids >= 0]
    group = np.array([next(i for i, g in enumerate(GROUPS) if a in g) for a in LETTERS])[acids]
    parts = [
        np.bincount(acids, minlength=20),
        np.bincount(acids[:-1] * 20 + acids[1:], minlength=400),
        np.bincount((group[:-2] * 9 + group[1:-1]) * 9 + group[2:], minlength=729),
    ]
    roots = [np.sqrt(part / max(len(acids), 1)) for part in parts]
    return np.concatenate([*roots, [np.log(len(acids) + 1)]]).astype(np.float32)


def unlike(sequences: list[str]) -> np.ndarray:
    """Rows of which none shares more than 30 % of its 5-mers with an earlier one."""
    from gentle_clip_jax.tasks.proteins.domains import Proteins, distinct

    lengths = [len(sequence) for sequence in sequences]
    letters = np.array([LETTERS.find(letter) for letter in "".join(sequences)], np.int8)
    none = np.zeros(len(sequences), str)
    proteins = Proteins(none, np.cumsum([0, *lengths]), letters % 21, letters, none, {})
    return distinct(proteins, np.arange(len(sequences)))


def drawings(made: pathlib.Path, code: pathlib.Path):
    """The pictures and texts of `gentle-clip example`."""
    out = made / "example"
    if not out.exists():
        command(code, "example", f"--num={NUM_DRAWINGS}", f"--out={out}")
    encode("efficientnet-lite0", out / "pictures", made / "example-pictures", code)
    encode("minilm", out / "texts", made / "example-texts", code)
    with (out / "answers.csv").open(newline="", encoding="utf-8") as file:
        partners = [(line[0], line[1]) for line in csv.reader(file) if line]
    return read(made / "example-pictures"), read(made / "example-texts"), partners


def save(folder: pathlib.Path, x: Rows, y: Rows, partners, pairs: int) -> None:
    """Number the items of both modalities anew, shuffle their rows, and draw the given pairs."""
    rng = np.random.default_rng(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    called = []
    for column, (letter, (features, items)) in enumerate(zip("xy", (x, y))):
        wanted = [pair[column] for pair in partners]
        new = {id_: f"{letter}{n:04d}" for id_, n in zip(wanted, rng.permutation(len(wanted)))}
        rows = rng.permutation([row for row, item in enumerate(items) if item in new])
        ids = np.array([new[items[row]] for row in rows])
        np.savez(folder / f"{letter}.npz", features=features[rows].astype(np.float32), ids=ids)
        called.append([new[id_] for id_ in wanted])
    lines = [f"{a},{b}\n" for a, b in zip(*called)]
    (folder / "partners.csv").write_text("".join(lines))
    given = rng.permutation(len(lines))[:pairs]
    (folder / "pairs.csv").write_text("".join(lines[i] for i in sorted(given)))


def read(folder: pathlib.Path) -> Rows:
    """The features of a folder of `gentle-clip encode`, and the item of each row."""
    with (folder / "rows.jsonl").open(encoding="utf-8") as lines:
        return np.load(folder / "features.npy"), [json.loads(line)["id"] for line in lines]


def encode(encoder: str, data: pathlib.Path, out: pathlib.Path, code: pathlib.Path, *more) -> None:
    if not (out / "features.npy").exists():
        command(code, "encode", f"--encoder={encoder}", f"--data={data}", f"--out={out}", *more)


def command(code: pathlib.Path, *words: str) -> None:
    """Run a command of the checkout in `code`."""
    program = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    program += "runpy.run_module('gentle_clip_jax', run_name='__main__', alter_sys=True)"
    subprocess.run([sys.executable, "-c", program, str(code), *words], check=True)

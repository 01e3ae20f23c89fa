"""Proteins' sequences beside their names on features that nobody trained on them: closed forms.

    python benchmarks/protein_names.py --data=PROTEINS [--workdir=runs/protein_names]
        [--unmatched disjoint] [--evaluate validation]

PROTEINS is the folder of proteins.parquet (uniprot-names, see docs/data.md). Sequences are counted,
names are encoded by MiniLM. Each run is kept; the command goes on with what is missing. Writes
docs/results/protein_names_frozen.json, or protein_names_disjoint.json, where no
unmatched protein has its name among the unmatched ones; figures on validation items go to the
workdir.
"""

import argparse
import collections
import pathlib

import numpy as np
import pyarrow.parquet as parquet
from frozen import publish_comparison
from published import ROOT

from gentle_clip_jax.comparing import Plan, compare_pool
from gentle_clip_jax.comparing.pool import Pool, Retrieval, ZeroShot
from gentle_clip_jax.features.encode import encode
from gentle_clip_jax.features.read import read
from gentle_clip_jax.report.comparison import show_comparison
from gentle_clip_jax.storage.writing import write_text
from gentle_clip_jax.tasks.proteins.domains import Proteins, distinct

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
# Amino acids that replace each other in evolution count as one where three in a row are counted.
GROUPS = ("AST", "C", "DE", "FWY", "G", "HNQ", "ILMV", "KR", "P")
NUM_TEST, NUM_VALIDATION, NUM_CLASSES = 1500, 1000, 40
METHODS = ("cca", "cca+drawn", "ridge", "procrustes", "relative", "cca_relative")
METHODS += ("clip", "gentle_clip", "transported_cca")
METHODS += ("gentle_transport", "gentle_transport+drawn", "gentle_relative")
CLOSED = ("cca", "relative", "cca_relative", "transported_cca", "gentle_transport")
PLANS = {
    "shuffled": Plan(METHODS, (30, 100, 300, 1000, 1.0)),
    "disjoint": Plan(CLOSED, (30, 100, 300, 1000), unmatched="disjoint"),
}


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
    lengths = [len(sequence) for sequence in sequences]
    letters = np.array([LETTERS.find(letter) for letter in "".join(sequences)], np.int8)
    none = np.zeros(len(sequences), str)
    proteins = Proteins(none, np.cumsum([0, *lengths]), letters % 21, letters, none, {})
    return distinct(proteins, np.arange(len(sequences)))


def pool(data: pathlib.Path, workdir: pathlib.Path, evaluate: str) -> Pool:
    """Proteins none of which is like another, split at random; names that are equal are one."""
    rows = parquet.read_table(data / "proteins.parquet", columns=["sequence", "name"]).to_pydict()
    order = np.random.default_rng(0).permutation(len(rows["name"]))
    sequences = [rows["sequence"][i] for i in order]
    kept = unlike(sequences)
    names = np.array([rows["name"][i] for i in order])[kept]
    write_text(workdir / "names.txt", "".join(f"{name}\n" for name in sorted({*names})))
    encode(workdir / "names.txt", workdir / "names", encoder="minilm")
    rows = read(workdir / "names")
    of_name = dict(zip(rows.texts, rows.features))
    x = np.stack([counts(sequences[i]) for i in kept])
    y = np.stack([of_name[name] for name in names])
    numbers, ends = np.arange(len(kept)), np.cumsum([0, NUM_TEST, NUM_VALIDATION])
    split = {"test": slice(*ends[:2]), "validation": slice(*ends[1:3])}[evaluate]
    train = numbers[ends[2] :]
    ids = numbers[split].astype(str)
    classes = [name for name, _ in collections.Counter(names[train]).most_common(NUM_CLASSES)]
    known = np.isin(names[split], classes)
    labels = np.array([classes.index(name) for name in names[split][known]])
    zero_shot = ZeroShot(x[split][known], np.stack([of_name[name] for name in classes]), labels)
    return Pool(
        x[train][:, None],
        y[train][:, None],
        np.repeat("uniprot", len(train)),
        x[:0, None],
        y[:0, None],
        {"proteins": Retrieval(x[split], ids, y[split], ids, names[split])},
        {"names": zero_shot},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--workdir", type=pathlib.Path, default=ROOT / "runs" / "protein_names")
    parser.add_argument("--unmatched", choices=[*PLANS], default="shuffled")
    parser.add_argument("--evaluate", choices=("validation", "test"), default="test")
    args = parser.parse_args()
    args.workdir.mkdir(parents=True, exist_ok=True)
    items, folder = pool(args.data, args.workdir, args.evaluate), args.workdir / args.evaluate
    print(f"{len(items.x):,} proteins to learn from")
    stem, title = "protein_names_frozen", "Proteins and their names, frozen features"
    if args.unmatched != "shuffled":
        stem, folder = f"protein_names_{args.unmatched}", folder / args.unmatched
        title += f", {args.unmatched} unmatched sets"
    compare_pool(items, PLANS[args.unmatched], folder, title=title)
    show_comparison(folder, ("sequence", "name"))
    if args.evaluate == "test":
        publish_comparison(folder, stem)


if __name__ == "__main__":
    main()

"""Icon search by frozen encoders: what unmatched icons bring, beside pairs alone and all pairs.

    python benchmarks/icon_features.py [--workdir=runs/icon_features] [--seeds 0 1 2 3 4]
        [--evaluate validation]

The split is that of configs/icons.py. Draws and encodes the icons once (ten minutes on two cores);
what is encoded and each score is kept, and the command goes on with what is missing. Writes
docs/results/icon_features.md and icon_features.json; figures on validation items are shown alone.
"""

import argparse
import json
import pathlib
import statistics
from typing import NamedTuple

import jax
import numpy as np

from gentle_clip_jax import Problem
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing
from gentle_clip_jax.aligners.methods import METHODS
from gentle_clip_jax.compare.measure import MAIN, difference, score, summarize
from gentle_clip_jax.compare.pool import Pool, Retrieval, ZeroShot
from gentle_clip_jax.config import load_config
from gentle_clip_jax.data.pairing import choose_matched, hold_out_groups, own_order
from gentle_clip_jax.features.encode import encode
from gentle_clip_jax.features.read import read
from gentle_clip_jax.files import write_arrays, write_json, write_text
from gentle_clip_jax.reading import read_arrays
from gentle_clip_jax.runs.log import processor
from gentle_clip_jax.tasks.icons import data

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
DATA = load_config(ROOT / "configs" / "icons.py").data
LAYERS = {"last layer": None, "more layers": "rich"}
UNMATCHED = {"own": ["material"], "all": list(data.FONTS)}
FORMS = ("cca", "transported_cca", "gentle_transport")
HEADS = ("clip", "gentle_clip")
# Features, unmatched icons, share of the pairs, methods.
PARTS = [
    ("last layer", "own", DATA.matched_fraction, FORMS),
    ("last layer", "all", DATA.matched_fraction, FORMS),
    ("more layers", "own", DATA.matched_fraction, (*FORMS, *HEADS)),
    ("last layer", "own", 1.0, FORMS[:1]),
    ("more layers", "own", 1.0, FORMS[:1]),
]


class Items(NamedTuple):
    """Glyphs of all fonts: features x [n, dx]; y [n, dy] of their names; names, fonts [n].

    words: from a text to its features [dy].
    """

    x: np.ndarray
    y: np.ndarray
    names: np.ndarray
    fonts: np.ndarray
    words: dict[str, np.ndarray]


def said(words: str) -> str:
    return f"an icon of {words}"


def read_items(workdir: pathlib.Path, layers: str | None) -> Items:
    """Draws and encodes what is not there yet."""
    icons = data.load_icons(workdir / "icons.npz", 224)
    pictures = workdir / "pictures"
    if not (workdir / "texts.txt").exists():
        from PIL import Image

        pictures.mkdir(exist_ok=True)
        for number, glyph in enumerate(icons.images):
            Image.fromarray(255 - glyph).save(pictures / f"{number:05}.png")
        texts = sorted({*icons.names} | {data.head_word(name) for name in icons.names})
        write_text(workdir / "texts.txt", "".join(f"{said(text)}\n" for text in texts))
    sets, encoders = [], {"x": "efficientnet-lite0", "y": "minilm"}
    for side, source in (("x", pictures), ("y", workdir / "texts.txt")):
        out = workdir / f"{layers or 'last'}_{side}"
        encode(source, out, encoder=encoders[side], layers=layers)
        sets.append(read(out))
    x, y = sets
    rows = x.features[np.argsort(x.ids)]  # ids are numbers of equal length
    words = dict(zip(y.texts, y.features))
    named = np.stack([words[said(name)] for name in icons.names])
    return Items(rows, named, icons.names, icons.fonts, words)


def split(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of Material icons to train on, for validation and for the test, as the towers' are."""
    rows, held_out = np.flatnonzero(items.fonts == "material"), []
    for number in (DATA.num_test, DATA.num_validation):
        chosen = hold_out_groups(items.names[rows], number, seed=DATA.split_seed)
        held_out.append(rows[chosen])
        rows = rows[~chosen]
    return rows, held_out[1], held_out[0]


def problem(items: Items, fonts: list[str], fraction: float, seed: int) -> Problem:
    """Pairs drawn by the seed; all other icons and names, each name once, are unmatched."""
    train, validation, test = split(items)
    matched = choose_matched(len(train), fraction, seed=seed)
    held_out = items.names[np.concatenate([validation, test])]
    others = np.flatnonzero((items.fonts != "material") & np.isin(items.fonts, fonts))
    others = others[~np.isin(items.names[others], held_out)]
    unmatched = np.concatenate([train[~matched], others])
    texts = np.unique(items.names[unmatched])
    texts = texts[own_order(len(texts), seed=seed)]
    y = np.stack([items.words[said(text)] for text in texts]) if len(texts) else items.y[:0]
    order = np.random.default_rng(seed).permutation(len(unmatched))
    pairs = train[matched]
    return Problem(items.x[pairs], items.y[pairs], items.x[unmatched[order]], y)


def pool(items: Items, evaluate: str) -> Pool:
    """What to measure: equal names count as hits; classes are first words, as for the towers."""
    train, validation, test = split(items)
    rows = {"validation": validation, "test": test}[evaluate]
    x, y, names = items.x[rows], items.y[rows], items.names[rows]
    heads, counts = np.unique([data.head_word(n) for n in items.names[train]], return_counts=True)
    classes = heads[np.argsort(-counts, kind="stable")[: DATA.num_classes]].tolist()
    first = [data.head_word(name) for name in names]
    known = np.isin(first, classes)
    labels = np.array([classes.index(word) for word in first if word in classes])
    words = np.stack([items.words[said(word)] for word in classes])
    retrieval = {"icons": Retrieval(x, names, y, names)}
    zero_shot = {"icons": ZeroShot(x[known], words, labels)}
    return Pool(x[:0], y[:0], names[:0], x[:0], y[:0], retrieval, zero_shot)


def measure(args: argparse.Namespace) -> dict[str, dict[str, list[dict]]]:
    """Scores of every item, from "features/unmatched/fraction/method" to one set a seed."""
    scores: dict = {}
    for layers, unmatched, fraction, methods in PARTS:
        items = None
        for seed in args.seeds if fraction < 1 else args.seeds[:1]:
            names = [f"{method}{end}" for method in methods for end in ("", "+drawn")]
            kept = args.workdir / "scores" / args.evaluate
            paths = {n: kept / f"{layers}-{unmatched}-{fraction}-{n}-{seed}.npz" for n in names}
            missing = [m for m in methods if not paths[f"{m}+drawn"].exists()]
            if missing:
                items = items or read_items(args.workdir, LAYERS[layers])
                asked = problem(items, UNMATCHED[unmatched], fraction, seed)
                target = pool(items, args.evaluate)
            for method in missing:
                aligner = METHODS[method].fit(asked, jax.random.key(seed))
                write_arrays(paths[method], score(aligner, target))
                aligner = with_gallery_smoothing(aligner, asked)
                write_arrays(paths[f"{method}+drawn"], score(aligner, target, drawn=True))
            for name, path in paths.items():
                key = f"{layers}/{unmatched}/{fraction}/{name}"
                scores.setdefault(key, []).append(read_arrays(path))
    return scores


def summary(scores: dict[str, list[dict]]) -> dict[str, dict]:
    """Figures of each seed in per cent, and the gain over CCA of the same features, drawn too."""
    found = {}
    for key, runs in scores.items():
        method = key.rpartition("/")[2]
        seeds = [summarize(run) for run in runs]
        figures = {metric: [100 * run[metric] for run in seeds] for metric in MAIN}
        figures["recall"] = [statistics.mean(pair) for pair in zip(figures["i2t"], figures["t2i"])]
        rival = scores[key.removesuffix(method) + "cca+drawn"]
        gain = {metric: difference(runs, rival, metric) for metric in MAIN}
        found[key] = {"seeds": figures, "gain": gain}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--workdir", type=pathlib.Path, default=ROOT / "runs" / "icon_features")
    parser.add_argument("--seeds", type=int, nargs="+", default=[*range(5)])
    parser.add_argument("--evaluate", choices=("validation", "test"), default="test")
    args = parser.parse_args()
    (args.workdir / "scores" / args.evaluate).mkdir(parents=True, exist_ok=True)
    found = summary(measure(args))
    if args.evaluate == "validation":
        print(table(found))
        return
    content = {"machine": processor(), "seeds": args.seeds, "runs": found}
    write_json(RESULTS / "icon_features.json", content)
    write_text(RESULTS / "icon_features.md", page(content))
    print(RESULTS / "icon_features.md")


def table(runs: dict[str, dict]) -> str:
    lines = [
        "| features | unmatched | pairs | method | zero-shot | i2t | t2i | recall | i2t gained "
        "| t2i gained |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for key, run in runs.items():
        layers, unmatched, fraction, method = key.split("/")
        cells = [spread(run["seeds"][metric]) for metric in (*MAIN, "recall")]
        cells += [interval(run["gain"][metric]) for metric in MAIN[1:]]
        share = "all" if float(fraction) == 1 else f"{float(fraction):.0%}"
        begin = [layers, "-" if share == "all" else unmatched, share, method]
        lines.append(f"| {' | '.join(begin + cells)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


def interval(gain: dict[str, float]) -> str:
    value, low, high = (100 * gain[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})" if low or high else "-"


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    towers = json.loads((RESULTS / "icons.json").read_text())["runs"]
    recalls = {
        label: [100 * run["test"]["mean_recall"] for run in towers[name].values()]
        for label, name in (("CLIP", "clip_only"), ("Gentle-CLIP", "gentle_clip"))
    }
    trained = "\n".join(f"| {label} | {spread(values)} |" for label, values in recalls.items())
    return f"""# Icon search by frozen encoders

The icons, the split and the 10 % of pairs are those of [the icon task](../icons.md), drawn at 224
pixels; a name is said as "an icon of NAME". EfficientNet-Lite0 and MiniLM encode them, and are
not trained; clip and gentle_clip are heads that are, on their features. Per cent, test icons, mean
and sample standard deviation over seeds {", ".join(map(str, content["seeds"]))}; i2t and t2i
are means of R@1, 5 and 10, recall is the mean of both, and equal names count as hits. Gained:
points over CCA of the same pairs and features, drawn; 95 % interval, items resampled.

{table(content["runs"])}

Unmatched: "own" are the other Material icons and their names; "all" adds Phosphor, Remix and Font
Awesome. Which of both, which layers and which method was looked at on validation icons first.

For comparison, towers trained from scratch on the same pairs ([icons.md](icons.md), three seeds):

| towers | recall |
| --- | ---: |
{trained}

Machine: {content["machine"]}. Command: `python benchmarks/icon_features.py`.
"""


if __name__ == "__main__":
    main()

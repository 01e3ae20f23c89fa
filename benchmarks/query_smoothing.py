"""Query smoothing: words, classes and captions that ask for images, smoothed and as they are.

    python benchmarks/query_smoothing.py --data=DATA --cache=CACHE [--split=test] [--seeds 0 1 ...]

2,000 items of the train split with their five captions, of which some are pairs; the items of
--split are searched. Words: the 60 most frequent of the captions but for stop words; an image is
relevant that has the word in a caption. Classes: of RSICD and of UCM, without a prompt. Captions:
one of each image. The gallery is smoothed as the aligner says. Settings were chosen with
--split=val --seeds 10 11. Writes docs/results/query_smoothing.json.
"""

import argparse
import collections
import itertools
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np
from prediction_sets import encode
from published import ROOT, command, publish

import gentle_clip_jax as gc
from gentle_clip_jax.aligners.query_smoothing import OF_CLASSES, QuerySmoothing
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

SETS = {"aerial images": ("rsicd", "ucm-captions"), "photographs": ("flickr8k",)}
PAIRS = {"aerial images": (104, 312), "photographs": (60, 180)}
METHODS, ITEMS, WORDS, CAPTIONS = ("cca", "gentle_transport"), 2000, 60, 5


class Items(NamedTuple):
    """Images [n, dx], captions [n, 5, dy], their texts, and set and class of each item."""

    x: np.ndarray
    y: np.ndarray
    texts: np.ndarray
    sets: np.ndarray
    classes: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of the features")
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    text = gc.load_encoder("minilm")
    content = {
        "protocol": " ".join((__doc__ or "").split()),
        "command": command("query_smoothing"),
        "commit": commit(),
        "machine": machine(),
        "seeds": [],
        "split": args.split,
        "rows": [],
    }
    fields = {}
    for field in SETS:
        train, shown = (load(args.data, args.cache, field, one) for one in ("train", args.split))
        fields[field] = train, shown, Queries.of(shown, text)
    for seed in args.seeds:
        for field, (train, shown, queries) in fields.items():
            for pairs, method in itertools.product(PAIRS[field], METHODS):
                row = {"field": field, "pairs": pairs, "seed": seed, "method": method}
                row |= queries.measured(shown, *fitted(train, method, pairs, seed), seed)
                content["rows"].append(row)
                print(row, flush=True)
        content["seeds"].append(seed)
        publish("query_smoothing", content, columns=[*content["rows"][0]])


def load(data: pathlib.Path, cache: pathlib.Path, field: str, split: str) -> Items:
    parts = []
    for name in SETS[field]:
        sides = []
        for encoder, kind in (("efficientnet-lite0", "images"), ("minilm", "captions")):
            out = cache / "made" / f"{name}-{split}" / kind
            encode(encoder, data / name, out, ROOT, f"--split={split}")
            sides.append(gc.read(out))
        x, y = sides
        ids = [id_ for id_ in x.items.tolist() if id_ in {*y.items.tolist()}]
        classes = dict(zip(x.items.tolist(), x.item_labels))
        parts.append(
            Items(
                x.means()[x.numbers_of(ids)],
                y.of_items(ids),
                np.array([" ".join(texts).lower() for texts in y.texts_of(ids).values()]),
                np.array([name] * len(ids)),
                np.array([classes[id_].lower() for id_ in ids]),
            )
        )
    return Items(*map(np.concatenate, zip(*parts)))


def fitted(train: Items, method: str, pairs: int, seed: int) -> tuple[gc.Aligner, QuerySmoothing]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train.x))[:ITEMS]
    matched, rest = order[:pairs], order[pairs:]
    unmatched = train.x[rng.permutation(rest)], train.y[rng.permutation(rest)]
    problem = gc.Problem(train.x[matched], train.y[matched], *unmatched)
    smoothing = QuerySmoothing.of(problem, "y")
    assert smoothing is not None  # there are enough items
    return gc.align(problem, method=method, seed=seed), smoothing


class Queries(NamedTuple):
    """Features of words and, for each set, of its classes; what is relevant, and the true class."""

    words: np.ndarray
    relevant: np.ndarray
    classes: list[tuple[np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, shown: Items, text: Any) -> "Queries":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        found = [{*re.findall(r"[a-z]{3,}", one)} - ENGLISH_STOP_WORDS for one in shown.texts]
        counts = collections.Counter(word for words in found for word in sorted(words))
        words = [word for word, _ in counts.most_common(WORDS)]
        classes = []
        for name in np.unique(shown.sets):
            here = (shown.sets == name) & ~np.isin(shown.classes, ["", "playfields"])
            names, truth = np.unique(shown.classes[here], return_inverse=True)
            if len(names):
                classes.append((text.embed(names.tolist())[0], np.flatnonzero(here), truth))
        relevant = np.array([[word in words_ for words_ in found] for word in words])
        return cls(text.embed(words)[0], relevant, classes)

    def measured(
        self, shown: Items, aligner: gc.Aligner, smoothing: QuerySmoothing, seed: int
    ) -> dict[str, float]:
        """Return mean average precision, accuracy and recall, in per cent, by kind of query."""
        gallery = np.asarray(aligner.smooth_gallery_x(aligner.embed_x(shown.x)))
        captions, mean = shown.y[:, seed % CAPTIONS], smoothing.mean

        def scores(features: np.ndarray) -> np.ndarray:
            return np.asarray(aligner.embed_y(features)) @ gallery.T

        def accuracy(move: Any) -> float:
            right = [
                np.argmax(scores(move(features))[:, rows], axis=0) == truth
                for features, rows, truth in self.classes
            ]
            return 100 * float(np.mean([*map(np.mean, right)]))

        row = {}
        for name, move in (
            ("plain", lambda rows: rows),
            ("smoothed", lambda rows: smoothing.moved(rows - mean) + mean),
        ):
            row[f"words_{name}"] = mean_average_precision(scores(move(self.words)), self.relevant)
            row[f"captions_{name}"] = recall(scores(move(captions)))
            if self.classes:
                row[f"classes_{name}"] = accuracy(move)
        if self.classes:
            row["classes_list"] = accuracy(
                lambda rows: smoothing.moved(rows - rows.mean(axis=0), OF_CLASSES) + mean
            )
        return row


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    hits = np.take_along_axis(relevant, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return 100 * float(np.mean((precision * hits).sum(axis=1) / hits.sum(axis=1)))


def recall(scores: np.ndarray) -> float:
    """Return the mean of R@1, R@5 and R@10; caption i belongs to image i, and a tie is a miss."""
    ranks = np.sum(scores >= np.diag(scores)[:, None] - 1e-6, axis=1)
    return 100 * float(np.mean([ranks <= k for k in (1, 5, 10)]))


if __name__ == "__main__":
    main()

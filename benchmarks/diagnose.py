"""What `gentle-clip diagnose` says of cases made to fail, and how often it is wrong.

    python benchmarks/diagnose.py --features=DIR [--pairs 12 100 400] [--out docs/results]

DIR holds features of rsicd and flickr8k as `gentle-clip encode` writes them: DIR/rsicd/images,
DIR/rsicd/captions, and so on; docs/features.md says how to make them. Writes
diagnose.json.
"""

import argparse
import pathlib
import time

import jax
import numpy as np
from published import RESULTS, command, publish

from gentle_clip_jax.diagnosing import diagnosis_of
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.runs.log import processor

CASES = {
    "same": "the other items of RSICD, both modalities",
    "disjoint": "images of one half of the other items, captions of the other half",
    "fewer_classes": "images of all other items, captions of half of the classes",
    "other_classes": "images of half of the classes, captions of the other half",
    "other_captions": "images of RSICD, captions of Flickr8k",
    "other_images": "images of Flickr8k, captions of RSICD",
    "other_items": "images and captions of Flickr8k",
    "wrong_pairs": "as the first, 30 % of the pairs wrong",
    "random_pairs": "as the first, all pairs wrong",
    "flickr8k": "as the first, of Flickr8k",
    "turned": "images of RSICD, and for captions the same features, turned",
    "unrelated": "images of RSICD and captions of Flickr8k, paired at random",
}
Sets = tuple[Collection, Collection]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[12, 100, 400])
    parser.add_argument("--nulls", type=int, default=20, help="diagnoses with nothing to find")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    rsicd, flickr = (training_rows(args.features / name) for name in ("rsicd", "flickr8k"))
    asked = [(name, pairs, 0) for name in CASES for pairs in args.pairs]
    nulls = ("disjoint", "random_pairs")
    asked += [(name, 100, seed) for name in nulls for seed in range(1, args.nulls + 1)]
    rows = [
        {"case": name, "pairs": pairs, "seed": seed} | run(name, rsicd, flickr, pairs, seed)
        for name, pairs, seed in asked
    ]
    content = {
        "machine": processor(),
        "jax": jax.__version__,
        "command": command("diagnose"),
        "labels": CASES,
        "rows": rows,
    }
    publish("diagnose", content, args.out, columns=[*rows[0]])


def training_rows(folder: pathlib.Path) -> Sets:
    """Images and captions of a set's training split, of items that have both."""
    sets = [read(folder / name) for name in ("images", "captions")]
    both = np.intersect1d(*(rows.ids[rows.splits == "train"] for rows in sets))
    return tuple(of_items(rows, both) for rows in sets)


def of_items(rows: Collection, ids: np.ndarray) -> Collection:
    keep = np.isin(rows.ids, ids)
    labels = None if rows.labels is None else rows.labels[keep]
    return Collection(rows.features[keep], rows.ids[keep], labels=labels)


def run(name: str, rsicd: Sets, flickr: Sets, pairs: int, seed: int) -> dict:
    """The diagnosis of a case, less its pictures, with the seconds it took."""
    x, y, pair_ids, wrong = case(name, rsicd, flickr, pairs, np.random.default_rng(seed))
    start = time.perf_counter()
    found = diagnosis_of(x, y, pair_ids, seed=seed)
    seconds = time.perf_counter() - start
    print(name, pairs, seed, found["verdict"]["unmatched_data"], f"{seconds:.1f} s", flush=True)
    return figures(found, wrong) | {"seconds": round(seconds, 1)}


def figures(found: dict, wrong: set[str]) -> dict:
    """The figures of a diagnosis that the page shows."""
    numbers = {finding["name"]: finding["numbers"] for finding in found["findings"]}
    pairs, sets = numbers["held_out_pairs"], numbers["mapped_sets"]
    suspects = numbers["pair_noise"].get("suspects", [])
    return {
        "verdict": found["verdict"]["unmatched_data"],
        **{name: pairs.get(name) for name in ("auc", "low", "high")},
        "p_pairs": pairs.get("p"),
        "wrong": numbers["pair_noise"].get("share"),
        "suspects": len(suspects),
        "wrong_suspects": sum(one["x"] in wrong for one in suspects),
        "excess": sets["excess_share"],
        "p_excess": sets["p_further_apart_than_pairs"],
        "p_distribution": sets["p_same_distribution"],
        "shift_x": numbers["shift_x"]["auc"],
        "p_shift_x": numbers["shift_x"]["p_same_distribution"],
        "shift_y": numbers["shift_y"]["auc"],
        "p_shift_y": numbers["shift_y"]["p_same_distribution"],
    }


def case(
    name: str, rsicd: Sets, flickr: Sets, pairs: int, rng: np.random.Generator
) -> tuple[Collection, Collection, np.ndarray, set[str]]:
    """Feature sets, ids of the pairs, and the images whose pair is wrong."""
    images, captions = flickr if name == "flickr8k" else rsicd
    if name == "turned":
        turn = np.linalg.qr(rng.normal(size=2 * images.features.shape[1:]))[0]
        captions = Collection(images.features @ turn.astype(np.float32), images.ids)
    items = rng.permutation(images.ids)
    matched, free = items[:pairs], items[pairs:]
    free_x = free_y = free
    if name == "disjoint":
        free_x, free_y = free[: len(free) // 2], free[len(free) // 2 :]
    elif name in ("fewer_classes", "other_classes"):
        label = dict(zip(images.ids, images.labels))
        classes = rng.permutation(np.unique(images.labels))
        half = np.isin([label[item] for item in free], classes[: len(classes) // 2])
        free_x = free if name == "fewer_classes" else free[~half]
        free_y = free[half]
    x, y = (
        of_items(rows, np.concatenate([matched, rest]))
        for rows, rest in ((images, free_x), (captions, free_y))
    )
    if name in ("other_images", "other_items"):
        x = joined(of_items(images, matched), flickr[0])
    if name in ("other_captions", "other_items"):
        y = joined(of_items(captions, matched), flickr[1])
    partner = matched.copy()
    if name == "unrelated":
        y = flickr[1]
        partner = rng.permutation(np.unique(y.ids))[:pairs]
    wrong = {"wrong_pairs": round(0.3 * pairs), "random_pairs": pairs}.get(name, 0)
    partner[:wrong] = np.roll(partner[:wrong], 1)
    return x, y, np.array([matched, partner]).T, {*matched[:wrong].tolist()}


def joined(first: Collection, second: Collection) -> Collection:
    ids = np.concatenate([first.ids, [f"flickr8k {item}" for item in second.ids]])
    return Collection(np.concatenate([first.features, second.features]), ids)


if __name__ == "__main__":
    main()

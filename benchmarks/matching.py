"""Do the probabilities of `match` mean what they say? Matches of test items whose partners we know.

    python benchmarks/matching.py --features=features [--rich=rich] [--rich-turns=rich_turns]
        [--seeds 0 1 2] [--fields "remote sensing"] [--pairs 312] [--ways "as they are"]

Writes matching.json; of fields, pairs and ways that are not run, what the JSON has
is kept. The last number of pairs is all but the items to match: the ceiling. Pairs and unmatched
items are drawn from the train splits, so that they are alike; for "other items" all test items are
unmatched, whose captions differ from the train split's on remote sensing. An item of y is one
caption of its image, drawn at random; for "every caption", the mean of all. So that a fit takes a
moment, features are their first 128 principal components and the method is CCA; for "gentle
transport" they are whole, and a run takes minutes: of the second number of pairs alone. In rich/
there are the same features by `encode --layers=rich`, in rich_turns/ those by `--views=turns` too.
"""

import argparse
import functools
import itertools
import json
import pathlib
from unittest import mock

import jax
import numpy as np
import published
from published import RESULTS, publish

from gentle_clip_jax.aligners import METHODS, Problem, align
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.asking.choose import items_to_ask
from gentle_clip_jax.features.read import read
from gentle_clip_jax.matching import Matches, groups, match_arrays
from gentle_clip_jax.matching.calibration import expected_calibration_error as ece
from gentle_clip_jax.matching.matches import Candidates
from gentle_clip_jax.runs.log import machine

FIELDS = {
    "remote sensing": (("rsicd", "ucm-captions"), (104, 312, 1041, 8900)),
    "photographs": (("flickr8k",), (60, 180, 600, 4500)),
}
WAYS = ("as they are", "half without a partner", "one to one", "shuffled pairs", "other items")
TRANSPORT = "gentle transport"
UNDRAWN = "not drawn"
WAYS += ("groups of single items", UNDRAWN, TRANSPORT)
ASKED = "pairs that ask names"
WAYS += (ASKED, f"{ASKED}, one to one")
EVERY = "every caption"
# Features: the option that names their folder, and whether y is the mean of every caption.
PLAIN = ("features", False)
KINDS = {
    "rich features": ("rich", False),
    EVERY: ("features", True),
    "rich features of four turns": ("rich_turns", False),
    f"{EVERY}, rich features of four turns": ("rich_turns", True),
}
WAYS += tuple(kind + asked for kind in KINDS for asked in ("", f", {ASKED}"))
UNMATCHED = 1500
COLUMNS = "field way pairs seed found expected low high item_ece among group_ece group_precision"
COLUMNS += " coverage set_size stands_out"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--rich", type=pathlib.Path, help="features by --layers=rich")
    parser.add_argument("--rich-turns", type=pathlib.Path, help="those by --views=turns too")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fields", nargs="+", choices=[*FIELDS], default=[*FIELDS])
    parser.add_argument("--pairs", type=int, nargs="+", help="instead of each field's own numbers")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    rows = []
    for field in args.fields:
        sets, numbers = FIELDS[field]
        for num_pairs in args.pairs or numbers:
            for seed, way in itertools.product(args.seeds, args.ways):
                option, every = KINDS.get(way.removesuffix(f", {ASKED}"), PLAIN)
                folder = getattr(args, option)
                if way == TRANSPORT and num_pairs != numbers[1]:
                    continue
                if num_pairs == numbers[-1] and way != WAYS[0] and way not in KINDS:
                    continue
                if not (folder and (folder / sets[0]).exists()):
                    continue
                row = run(*prepared(folder, sets, every, way == TRANSPORT), num_pairs, seed, way)
                row |= {"field": field, "pairs": num_pairs, "seed": seed, "way": way}
                rows.append(row)
                print(json.dumps(rows[-1]), flush=True)
    write(rows, args)


@functools.cache
def prepared(folder: pathlib.Path, sets: tuple[str, ...], every: bool, whole: bool):
    """Train and test items, all features of them or their components."""
    splits = [items(folder, sets, split, every) for split in ("train", "test")]
    return splits if whole else components(*splits)


def items(folder: pathlib.Path, sets: tuple[str, ...], split: str, every: bool):
    """x [n, dx] and y [n, dy]: images of a split, and a caption of each, or the mean of all."""
    rng, sides = np.random.default_rng(0), []
    for name in sets:
        images, captions = (read(folder / name / of) for of in ("images", "captions"))
        assert images.splits is not None
        chosen = np.flatnonzero((images.splits == split) & np.isin(images.ids, captions.ids))
        order = rng.permutation(len(captions.ids))
        ids, first = np.unique(captions.ids[order], return_index=True)
        of_image = np.searchsorted(ids, images.ids[chosen])
        y = captions.features[order[first]]
        if every:
            total = np.zeros_like(y)
            np.add.at(total, np.searchsorted(ids, captions.ids), captions.features)
            y = total / np.unique(captions.ids, return_counts=True)[1][:, None]
        sides.append((images.features[chosen], y[of_image]))
    return tuple(np.concatenate(side).astype(np.float32) for side in zip(*sides))


def components(train, test, count: int = 128):
    """The first principal components of standardised features, of train and of test items.

    They are turned at random: aligners standardise what they get, and components, each made as
    large as the first, would be mostly noise.
    """
    sides, rng = [], np.random.default_rng(0)
    for of_train, of_test in zip(train, test):
        mean, deviation = of_train.mean(axis=0), of_train.std(axis=0)
        deviation = np.where(deviation > 1e-3 * deviation.max(), deviation, np.inf)
        rows = [(one - mean) / deviation for one in (of_train, of_test)]
        _, vectors = np.linalg.eigh(rows[0][::3].T @ rows[0][::3])
        turn, _ = np.linalg.qr(rng.normal(size=(count, count)))
        axes = (vectors[:, ::-1][:, :count] @ turn).astype(np.float32)
        sides.append([one @ axes for one in rows])
    return tuple(zip(*sides))


def run(train, test, num_pairs: int, seed: int, way: str) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train[0]))
    if ASKED in way:  # of the items that are drawn otherwise, which one would be asked for
        pool = order[: num_pairs + UNMATCHED]
        asked = items_to_ask(train[0][pool], num_pairs, seed=seed)
        order = np.concatenate([pool[asked], np.delete(pool, asked)])
    drawn, rest = np.split(order, [num_pairs])
    pair_x, pair_y = (side[drawn] for side in train)
    x, y = test if way == "other items" else (side[rest[:UNMATCHED]] for side in train)
    if way == "shuffled pairs":
        pair_y = pair_y[rng.permutation(num_pairs)]
    # Row of y that is the partner of each row of x; -1 for none.
    partner = np.arange(len(x))
    if way == "half without a partner":
        kept = np.sort(rng.permutation(len(y))[: len(y) // 2])
        of_all_y, partner = y, np.full(len(x), -1)
        partner[kept], y = np.arange(len(kept)), y[kept]
    else:
        of_all_y = y
    share = float(np.mean(partner >= 0))
    key = jax.random.key(seed)
    method = "gentle_transport" if way == TRANSPORT else "cca"
    problem = Problem(pair_x, pair_y, x, y)
    aligner = METHODS[method].fit(problem) if way == UNDRAWN else align(problem, method, key=key)
    all_y = np.concatenate([pair_y, y])
    weight = 0.0 if way == "groups of single items" else groups.WEIGHT
    with mock.patch.object(groups, "WEIGHT", weight):
        found = match_arrays(
            aligner,
            np.concatenate([pair_x, x]),
            all_y,
            pairs=np.stack([np.arange(num_pairs)] * 2, axis=1),
            share=share,
            one_to_one=way.endswith("one to one"),
            key=key,
        )
        true_group = groups_of(found, all_y, of_all_y)
    return figures(found, partner, true_group, num_pairs)


def groups_of(found: Matches, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The group of each row that is asked for: that of the nearest mean of a group."""
    of_item, count = found.groups.of_item, len(found.groups.central)
    standard = Standardizer.of(y)
    bank, asked = standard.rows(y), standard.rows(asked)
    y, asked = groups.smoothed(bank, bank), groups.smoothed(asked, bank)
    centers = np.stack([y[of_item == group].mean(axis=0) for group in range(count)])
    return np.argmin((centers**2).sum(1)[None] - 2 * asked @ centers.T, axis=1)


def figures(
    found: Matches, partner: np.ndarray, true_group: np.ndarray, num_pairs: int
) -> dict[str, float]:
    right = (found.y - num_pairs == partner) & (partner >= 0)
    probability = np.nan_to_num(found.probability)
    in_group = found.group == true_group
    surest = np.argsort(-found.group_probability)[: len(in_group) // 5]
    held = found.group_sets[np.arange(len(in_group)), true_group]
    assert found.expected is not None
    return {
        "found": float(right.sum()),
        "expected": found.expected.value,
        "low": found.expected.low,
        "high": found.expected.high,
        "item_ece": ece(probability, right),
        "group_ece": ece(found.group_probability, in_group),
        "group_precision": float(in_group[surest].mean()),
        "coverage": float(held.mean()),
        "set_size": float(np.median(found.group_sets.sum(axis=1))),
        "among": recall(found.of_x, partner + num_pairs, partner >= 0),
        "stands_out": int(found.calibration.is_biased),
    }


def recall(candidates: Candidates, partner: np.ndarray, asked: np.ndarray) -> float:
    """Share of the items with a partner whose partner is among their candidates."""
    return float(np.mean((candidates.candidate == partner[:, None]).any(axis=1)[asked]))


def write(rows: list[dict], args: argparse.Namespace) -> None:
    new = {_name(row) for row in rows}
    kept = published.read("matching", args.out).get("rows", [])
    rows = sorted([row for row in kept if _name(row) not in new] + rows, key=_name)
    record = {"machine": machine(), "seeds": args.seeds, "rows": rows}
    publish("matching", record, args.out, columns=COLUMNS.split())


def _name(row: dict) -> tuple[int, int, int, int]:
    """A run, as pages order them."""
    return [*FIELDS].index(row["field"]), WAYS.index(row["way"]), row["pairs"], row["seed"]


if __name__ == "__main__":
    main()

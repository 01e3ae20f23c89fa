"""What `gentle-clip diagnose` says of cases made to fail, and how often it is wrong.

    python benchmarks/diagnose.py --features=DIR [--pairs 12 100 400] [--out docs/results]

DIR holds features of rsicd and flickr8k as `gentle-clip encode` writes them: DIR/rsicd/images,
DIR/rsicd/captions, and so on; docs/features.md says how to make them. Writes diagnose.md and
diagnose.json.
"""

import argparse
import json
import pathlib
import shlex
import sys
import time

import jax
import numpy as np

from gentle_clip_jax.diagnose import diagnose
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.read import read
from gentle_clip_jax.runs.log import processor

ROOT = pathlib.Path(__file__).resolve().parents[1]
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
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    rsicd, flickr = (training_rows(args.features / name) for name in ("rsicd", "flickr8k"))
    rows = [
        run(name, rsicd, flickr, pairs, seed=0) | {"case": name, "pairs": pairs}
        for name in CASES
        for pairs in args.pairs
    ]
    nulls = {
        name: [run(name, rsicd, flickr, 100, seed) for seed in range(1, args.nulls + 1)]
        for name in ("disjoint", "random_pairs")
    }
    content = {
        "machine": processor(),
        "jax": jax.__version__,
        "command": shlex.join(["python", "benchmarks/diagnose.py", *shown(sys.argv[1:])]),
        "cases": rows,
        "nulls": nulls,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "diagnose.json").write_text(json.dumps(content, indent=1) + "\n")
    (args.out / "diagnose.md").write_text(page(content))
    print(args.out / "diagnose.md")


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
    found = diagnose(x, y, pair_ids, seed=seed)
    seconds = time.perf_counter() - start
    numbers = {finding["name"]: finding["numbers"] for finding in found["findings"]}
    levels = {finding["name"]: finding["level"] for finding in found["findings"]}
    noise = numbers["pair_noise"]
    noise["wrong_suspects"] = sum(one["x"] in wrong for one in noise.get("suspects", []))
    noise["suspects"] = len(noise.get("suspects", []))
    print(name, pairs, seed, found["verdict"]["unmatched_data"], f"{seconds:.1f} s", flush=True)
    return {
        "verdict": found["verdict"],
        "levels": levels,
        "numbers": numbers,
        "seconds": round(seconds, 1),
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


def shown(words: list[str]) -> list[str]:
    """The arguments without the place of the features, which is everyone's own."""
    return ["--features=DIR" if word.startswith("--features=") else word for word in words]


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    seconds = [row["seconds"] for row in content["cases"]]
    nulls, pairs = content["nulls"], {row["pairs"] for row in content["cases"]}
    return f"""# Diagnoses of cases made to fail

Images and captions of RSICD's training split (EfficientNet-Lite0 and MiniLM features), of which a
few are pairs; the unmatched items are those of the case. What each figure means:
[diagnose.md](../diagnose.md).

{cases_table(content["cases"])}

AUC: a held-out pair looks better matched than a mismatched one, with its 95 % interval. Wrong: the
share of the pairs that look put together at random. Suspects: how many of the pairs listed as
suspicious were made wrong. Excess: how much further apart the unmatched sets are than held-out
pairs, as a share of the distance between opposite halves of a set, with its p-value. Shift: AUC of
matched against unmatched items of a modality.

## Without pairs

{structure_table([row for row in content["cases"] if row["pairs"] == max(pairs)])}

Hits: pairs whose clusters the match of shapes puts together, and by chance. The last case but one
would be solved by a turn; it is not, for clusters of different items of one set differ too much.
So *hopeless* is said of coarse shapes, not of every method.

## False alarms

{len(nulls["disjoint"])} random splits of RSICD into 100 pairs and two disjoint unmatched sets,
where nothing is wrong, and {len(nulls["random_pairs"])} where all 100 pairs are. A test at 5 %
raises its alarm in one split of twenty.

{nulls_table(nulls)}

## How it was measured

`{content["command"]}` on {content["machine"]} with jax {content["jax"]}; a diagnosis took
{min(seconds):.0f} to {max(seconds):.0f} s, other work beside it. Every figure:
[diagnose.json](diagnose.json).
"""


def cases_table(rows: list[dict]) -> str:
    head = [
        "unmatched items",
        "pairs",
        "AUC",
        "wrong",
        "suspects",
        "excess, p",
        "shift x",
        "shift y",
    ]
    lines = []
    for row in rows:
        numbers = row["numbers"]
        signal, noise, sets = (
            numbers[name] for name in ("held_out_pairs", "pair_noise", "mapped_sets")
        )
        lines.append(
            [
                CASES[row["case"]],
                str(row["pairs"]),
                f"{signal['auc']:.2f} ({signal['low']:.2f} to {signal['high']:.2f})",
                f"{noise['share']:.0%}" if "share" in noise else "-",
                f"{noise['wrong_suspects']} of {noise['suspects']}",
                f"{sets['excess_share']:+.1%}, {sets['p_further_apart_than_pairs']:.3f}",
                f"{numbers['shift_x']['auc']:.2f}",
                f"{numbers['shift_y']['auc']:.2f}",
            ]
        )
    return table(
        [*head, "verdict"], [[*a, b["verdict"]["unmatched_data"]] for a, b in zip(lines, rows)]
    )


def structure_table(rows: list[dict]) -> str:
    head = ["unmatched items", "pairs", "correlation", "by chance", "p", "hits", "by chance", "p"]
    lines = []
    for row in rows:
        found = row["numbers"]["structure"]
        hits = ["-"] * 3
        if "pair_hits" in found:
            hits = [f"{found['pair_hits']:.0%}", f"{found['pair_hits_chance']:.0%}"]
            hits.append(f"{found['p_hits']:.3f}")
        lines.append(
            [
                CASES[row["case"]],
                str(row["pairs"]),
                f"{found['distance_correlation']:.2f}",
                f"{found['distance_correlation_chance']:.2f}",
                f"{found['p_structure']:.2f}",
                *hits,
                row["verdict"]["no_pairs"],
            ]
        )
    return table([*head, "verdict"], lines)


def nulls_table(nulls: dict[str, list[dict]]) -> str:
    """How often each test rejects where there is nothing to find."""

    def rate(name: str, finding: str, test) -> str:
        alarms = [test(one["numbers"][finding]) for one in nulls[name]]
        return f"{sum(alarms)} of {len(alarms)}"

    good, wrong = "disjoint", "random_pairs"
    lines = [
        [
            "unmatched sets further apart than pairs",
            rate(good, "mapped_sets", _below("p_further_apart_than_pairs")),
        ],
        [
            "unmatched sets of two modalities have different distributions at all",
            rate(good, "mapped_sets", _below("p_same_distribution")),
        ],
        [
            "matched images unlike unmatched ones (MMD)",
            rate(good, "shift_x", _below("p_same_distribution")),
        ],
        [
            "matched captions unlike unmatched ones (MMD)",
            rate(good, "shift_y", _below("p_same_distribution")),
        ],
        ["wrong pairs: neighbours agree", rate(wrong, "agreement", _below("mutual_knn_p"))],
        ["wrong pairs: CKA", rate(wrong, "agreement", _below("cka_p"))],
        ["wrong pairs: held-out pairs recognised", rate(wrong, "held_out_pairs", _below("p"))],
    ]
    verdicts = [one["verdict"]["unmatched_data"] for one in nulls[good]]
    lines.append(
        ["verdict other than likely", f"{sum(v != 'likely' for v in verdicts)} of {len(verdicts)}"]
    )
    verdicts = [one["verdict"]["unmatched_data"] for one in nulls[wrong]]
    lines.append(["wrong pairs: verdict likely", f"{verdicts.count('likely')} of {len(verdicts)}"])
    return table(["alarm", "splits"], lines)


def _below(name: str):
    return lambda numbers: numbers[name] < 0.05


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


if __name__ == "__main__":
    main()

"""Two sets and not one pair: where do starts without pairs lead, after rounds of transport?

    python benchmarks/zero_pairs.py --features=features [--seeds 0 1 2] [--evaluate test]

Writes zero_pairs.md and zero_pairs.json. A seed decides the unmatched items, the centres and the
restarts; of the restarts of a start the one with the highest unsupervised score counts. The names
of ImageNet's classes are those that benchmarks/class_names.py writes: run it first.
"""

import argparse
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.aligners import Aligner, closed_form  # noqa: E402
from gentle_clip_jax.aligners.aligner import with_gallery_smoothing  # noqa: E402
from gentle_clip_jax.aligners.closed_form import Maps  # noqa: E402
from gentle_clip_jax.aligners.problem import PLAN_ITEMS  # noqa: E402
from gentle_clip_jax.aligners.standardize import standardized  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

FIELDS = {"remote sensing": "compare_remote_sensing", "photographs": "compare_vision_language"}
METRICS = ("zero_shot", "i2t", "t2i")
CHANCE = "random maps (chance)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--unmatched", type=int, default=PLAN_ITEMS, help="items of each")
    parser.add_argument("--evaluate", choices=["test", "validation"], default="test")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    rows = []
    for field, name in FIELDS.items():
        config = load_config(
            name, [f"--config.features={args.features}", f"--config.evaluate={args.evaluate}"]
        )
        items = pool_of(config)
        for seed in args.seeds:
            for row in run(items, seed, args):
                rows.append({"field": field, "seed": seed} | row)
                print(rows[-1], flush=True)
    publish(rows, args)


def run(items: pool.Pool, seed: int, args: argparse.Namespace):
    """A row for every start: the figures before the rounds, and of each restart after them."""
    problem = pool.draw(items, 0, seed=seed, unmatched="shuffled")
    of_x, of_y, features, classes = standardized(problem)
    x, y = features.unmatched_x[: args.unmatched], features.unmatched_y[: args.unmatched]
    mean_x, mean_y = jnp.mean(x, axis=1), jnp.mean(y, axis=1)
    keys = jax.random.split(jax.random.key(seed), args.restarts)
    clustered = {
        f"{clusters} clusters, Gromov-Wasserstein": [
            closed_form.matched_clusters(mean_x, mean_y, key, clusters=clusters) for key in keys
        ]
        for clusters in (12, 30)
    }
    starts = {CHANCE: [random_maps(key, mean_x, mean_y) for key in keys], **clustered}
    if classes is None:
        raise ValueError(f"Run benchmarks/class_names.py --features={args.features} first.")
    starts["names of ImageNet's classes"] = [closed_form.named_classes(mean_x, mean_y, *classes)]
    for name, several in starts.items():
        fits = [closed_form.align_without_pairs(x, y, [start]) for start in several]
        yield {
            "start": name,
            "before": [figures(Aligner(of_x, of_y, start), items) for start in several],
            "scores": [scores[0] for _, scores in fits],
            "after": [figures(Aligner(of_x, of_y, maps), items) for maps, _ in fits],
            "drawn": [
                figures(
                    with_gallery_smoothing(Aligner(of_x, of_y, maps), problem), items, drawn=True
                )
                for maps, _ in fits
            ],
        }


def random_maps(key: jax.Array, x: jax.Array, y: jax.Array) -> Maps:
    maps = (
        jax.random.normal(one, (rows.shape[1], 128))
        for one, rows in zip(jax.random.split(key), (x, y))
    )
    return Maps(jnp.mean(x, axis=0), next(maps), jnp.mean(y, axis=0), next(maps))


def figures(aligner: Aligner, items: pool.Pool, *, drawn: bool = False) -> list[float | None]:
    """Per cent; None for what is not measured on these items."""
    metrics = measure.summarize(measure.score(aligner, items, drawn=drawn))
    return [100 * metrics[metric] if metric in metrics else None for metric in METRICS]


def publish(rows: list[dict], args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "evaluate": args.evaluate, "seeds": args.seeds, "rows": rows}
    (args.out / "zero_pairs.json").write_text(json.dumps(record, indent=1) + "\n")
    (args.out / "zero_pairs.md").write_text("\n".join(page(rows, args)) + "\n")


def page(rows: list[dict], args: argparse.Namespace) -> list[str]:
    lines = [
        "# Alignment without a single pair",
        "",
        f"`python benchmarks/zero_pairs.py --features=...`: {args.evaluate} items, seeds "
        f"{', '.join(map(str, args.seeds))}, {args.unmatched} unmatched items of each modality, "
        "none of which is known to belong to another. Zero-shot / i2t / t2i as in "
        "[compare.md](../compare.md), per cent: mean and sample standard deviation over seeds.",
        "",
        f"A start is tried {args.restarts} times (names once). *Chosen*: after six rounds of "
        "transport, the try whose plan joins the most similar items, which needs no pair; *drawn*: "
        "the same, ranked as `align` has it, images drawn where a text asks; *best*: "
        "the try with the highest sum of figures, which nobody without pairs could know.",
        "",
        "The names are those of the ImageNet classes that the image encoder was trained to tell "
        "apart: its own classifier says of an image which of them it sees. Several classes of "
        "Caltech-101 and CIFAR-10, the zero-shot sets of photographs, are ImageNet's own, so that "
        "zero-shot says little about new classes there; captions and aerial images are not.",
    ]
    for field in FIELDS:
        here = [row for row in rows if row["field"] == field]
        lines += ["", f"## {field.capitalize()}", ""]
        lines += ["| start | before the rounds | chosen | drawn | best |", "|---|--:|--:|--:|--:|"]
        for name in dict.fromkeys(row["start"] for row in here):
            several = [row for row in here if row["start"] == name]
            cells = [
                spread([np.nanmean(as_array(row["before"]), axis=0) for row in several]),
                spread([chosen(row) for row in several]),
                spread([chosen(row, "drawn") for row in several]),
                spread([best(row) for row in several]),
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines += ["", verdict(here)]
    return lines


def as_array(tries: list[list[float | None]]) -> np.ndarray:
    return np.array(tries, float)


def chosen(row: dict, which: str = "after") -> np.ndarray:
    return as_array(row[which])[int(np.argmax(row["scores"]))]


def best(row: dict) -> np.ndarray:
    tries = as_array(row["after"])
    return tries[int(np.argmax(np.nansum(tries, axis=1)))]


def spread(found: list[np.ndarray]) -> str:
    mean, deviation = np.mean(found, axis=0), np.std(found, axis=0, ddof=min(1, len(found) - 1))
    cells = (f"{m:.1f} ± {d:.1f}" for m, d in zip(mean, deviation) if np.isfinite(m))
    return " / ".join(cells)


def verdict(rows: list[dict]) -> str:
    """Which starts end above chance by more than the spread, in every figure."""
    by_start = {name: [row for row in rows if row["start"] == name] for name in names_of(rows)}
    chance = np.array([np.nanmean(as_array(row["before"]), axis=0) for row in by_start[CHANCE]])
    above, not_above = [], []
    for name, several in by_start.items():
        ends = np.array([chosen(row) for row in several])
        gap = ends.mean(0) - chance.mean(0)
        wide = np.maximum(ends.std(0, ddof=1), chance.std(0, ddof=1)) if len(ends) > 1 else 0
        known = np.isfinite(gap)
        (
            above if np.all(gap[known] > np.broadcast_to(wide, gap.shape)[known]) else not_above
        ).append(name.removesuffix(" (chance)"))
    return (
        f"Above chance by more than the spread in every figure: {'; '.join(above) or 'none'}. "
        f"Not so: {'; '.join(not_above) or 'none'}."
    )


def names_of(rows: list[dict]) -> list[str]:
    return [*dict.fromkeys(row["start"] for row in rows)]


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()

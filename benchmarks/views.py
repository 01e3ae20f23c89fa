"""What features of several views of each image bring, on validation items.

    python benchmarks/views.py --features=features --mirror=mirror --turns=turns [--seeds 10 11]

In each folder SET/{images,captions,classes} are folders of gentle-clip encode, see
docs/features.md: in mirror/ the images by --views=mirror, in turns/ by --views=turns, all else as
in features/. Writes views.md and views.json.
"""

import argparse
import pathlib
import statistics
import sys

import jax
from readme_tables import lines

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from published import publish  # noqa: E402

from gentle_clip_jax.aligners import METHODS  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402

FIELDS = {
    "aerial images": ("compare_remote_sensing", (104, 312, 1041, 10_414)),
    "photographs": ("compare_vision_language", (60, 180, 600, 6_000)),
}
VIEWS = {"features": "as they are", "mirror": "and mirrored", "turns": "four turns"}
FORMS = {"cca": "CCA", "gentle_transport": "gentle transport"}
_HEAD = """# Features of several views of each image

`{command}` on {machine}. Validation items, {seeds} seeds; of photographs there are no classes
among them. Means of zero-shot, image to text and text to image, in per cent; behind them how far
they are above those of the images as they are, with the standard error over the seeds. With all
pairs there is one draw. `encode --views=mirror` takes twice as long, `--views=turns` four times.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    for views in VIEWS:
        parser.add_argument(f"--{views}", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    rows = []
    for field, (config, numbers) in FIELDS.items():
        for views in VIEWS:
            flags = [f"--config.features={getattr(args, views)}", "--config.evaluate=validation"]
            items = pool_of(load_config(config, flags))
            for pairs in numbers:
                for row in runs(items, pairs, args.seeds):
                    rows.append({"field": field, "views": views, "pairs": pairs} | row)
                    print(rows[-1], flush=True)
    publish(args.out / "views", rows, page)


def runs(items: pool.Pool, pairs: int, seeds: list[int]):
    """Figures of each method and seed; with all pairs nothing is left to draw."""
    of_all = pairs == len(items.x)
    for seed in seeds[:1] if of_all else seeds:
        problem = pool.draw(items, pairs, seed=seed, unmatched="shuffled")
        for name in ("cca",) if of_all else FORMS:
            aligner = METHODS[name].fit(problem, jax.random.key(seed))
            found = measure.summarize(measure.score(aligner, items))
            figures = {key: 100 * found[key] for key in measure.MAIN if key in found}
            yield {"method": name, "seed": seed, "figures": figures}


def page(content: dict) -> str:
    rows = content["rows"]
    about = content["machine"]
    parts = [
        _HEAD.format(
            command=content["command"],
            machine=f"{about['cpus']} x {about['processor']}",
            seeds=len({row["seed"] for row in rows}),
        )
    ]
    for field in FIELDS:
        here = [row for row in rows if row["field"] == field]
        table = []
        for pairs, name in dict.fromkeys((row["pairs"], row["method"]) for row in here):
            some = [row for row in here if (row["pairs"], row["method"]) == (pairs, name)]
            table.append([f"{FORMS[name]}, {pairs:,} pairs", *(cell(some, v) for v in VIEWS)])
        head = f"| | {' | '.join(VIEWS.values())} |"
        parts.append(f"## {field.capitalize()}\n\n{lines(head, table)}")
    return "\n".join(parts)


def cell(rows: list[dict], views: str) -> str:
    """The mean of each figure, and the gain in the mean of all."""
    ours, plain = (
        {row["seed"]: row["figures"] for row in rows if row["views"] == which}
        for which in (views, "features")
    )
    figures = " / ".join(
        f"{statistics.mean(f[key] for f in ours.values()):.1f}" for key in next(iter(ours.values()))
    )
    if views == "features":
        return figures
    gains = [statistics.mean(ours[s].values()) - statistics.mean(plain[s].values()) for s in ours]
    error = f" ± {statistics.stdev(gains) / len(gains) ** 0.5:.1f}" if len(gains) > 1 else ""
    return f"{figures} ({statistics.mean(gains):+.1f}{error})"


if __name__ == "__main__":
    main()

"""What gentle transport is made of, and what was tried and left out, on validation items.

    python benchmarks/negative.py --features=features [--pairs 104 1041] [--seeds 10 11]

Writes negative.md and negative.json. No test item is looked at, and the seeds are others than
those of the published comparisons.
"""

import argparse
import json
import pathlib
import sys
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from configs import compare_remote_sensing  # noqa: E402
from gentle_clip_jax import closed_form  # noqa: E402
from gentle_clip_jax.closed_form.neighbours import smooth  # noqa: E402
from gentle_clip_jax.compare import measure, methods  # noqa: E402
from gentle_clip_jax.data import pool  # noqa: E402
from gentle_clip_jax.losses import pairwise  # noqa: E402
from gentle_clip_jax.run_log import machine  # noqa: E402

MAIN = ("zero_shot", "i2t", "t2i")


class Joined(NamedTuple):
    """The mean of several aligners' cosines, as one space."""

    aligners: tuple

    def embed_x(self, x):
        return pairwise.normalize(jnp.concatenate([a.embed_x(x) for a in self.aligners], axis=1))

    def embed_y(self, y):
        return pairwise.normalize(jnp.concatenate([a.embed_y(y) for a in self.aligners], axis=1))


def gentle(problem, **changes):
    """`gentle_transport` with other settings of its transported CCA."""
    plain = closed_form.gentle_transport(problem, methods.cca)
    x, unmatched_x = (plain.smooth_x(z[:, 0])[:, None] for z in (problem.x, problem.unmatched_x))
    smoothed = problem._replace(x=x, unmatched_x=unmatched_x)
    start = methods.cca(x[:, 0], jnp.mean(problem.y, axis=1))
    return plain._replace(maps=closed_form.transported_cca(smoothed, start, **changes))


def bagged(problem):
    """Eight fits, each to four fifths of the pairs."""
    size, rng = len(problem.x), np.random.default_rng(0)
    parts = [rng.permutation(size)[: 4 * size // 5] for _ in range(8)]
    return Joined(tuple(gentle(problem._replace(x=problem.x[p], y=problem.y[p])) for p in parts))


def without_smoothing(problem):
    start = methods.cca(problem.x[:, 0], jnp.mean(problem.y, axis=1))
    return closed_form.transported_cca(problem, start)


def both_smoothed(problem):
    """Captions are drawn towards their neighbours as well."""
    y, lone = (jnp.mean(z, axis=1) for z in (problem.y, problem.unmatched_y))
    bank = jnp.concatenate([y, lone])
    y, lone = (smooth(z, bank, weight=0.3)[:, None] for z in (y, lone))
    return gentle(problem._replace(y=y, unmatched_y=lone))


def self_trained(problem):
    """Mutual nearest neighbours of the unmatched sets count as further pairs, once."""
    aligned = gentle(problem)
    x, y = problem.unmatched_x[:, 0], jnp.mean(problem.unmatched_y, axis=1)
    cosines = np.asarray(aligned.embed_x(x) @ aligned.embed_y(y).T)
    of_x, of_y = cosines.argmax(1), cosines.argmax(0)
    mutual = np.flatnonzero(of_y[of_x] == np.arange(len(of_x)))
    more = problem._replace(
        x=jnp.concatenate([problem.x, problem.unmatched_x[mutual]]),
        y=jnp.concatenate([problem.y, problem.unmatched_y[of_x[mutual]]]),
    )
    return gentle(more)


def joined_with_pairs(problem):
    start = methods.cca(problem.x[:, 0], jnp.mean(problem.y, axis=1))
    return Joined((gentle(problem), start))


IDEAS = {
    "gentle transport, as it is": gentle,
    "without neighbours": without_smoothing,
    "captions smoothed too": both_smoothed,
    "plan sharper, epsilon 0.01": lambda problem: gentle(problem, epsilon=0.01),
    "plan blunter, epsilon 0.05": lambda problem: gentle(problem, epsilon=0.05),
    "4 rounds": lambda problem: gentle(problem, rounds=4),
    "correlations not weighted, power 0": lambda problem: gentle(problem, power=0.0),
    "correlations weighted fully, power 1": lambda problem: gentle(problem, power=1.0),
    "plan alone, mix 0.95": lambda problem: gentle(problem, mix=0.95),
    "8 fits to parts of the pairs (bagging)": bagged,
    "self-training on mutual neighbours": self_trained,
    "joined with CCA of the pairs": joined_with_pairs,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True, help="folder of gentle-clip encode's folders")
    parser.add_argument("--pairs", type=int, nargs="+", default=[104, 1041])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11])
    parser.add_argument("--unmatched", type=int, default=3000, help="items of each modality")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    config = compare_remote_sensing.get_config()
    task = pool.load_task(
        args.features,
        train=config.train,
        zero_shot=dict(one.split(":") for one in config.zero_shot),
        excluded_labels=config.excluded_labels,
        evaluate="validation",
    )
    rows = []
    for name, idea in IDEAS.items():
        for pairs in args.pairs:
            found = []
            for seed in args.seeds:
                x, y, lone_x, lone_y = pool.draw(task, pairs, seed=seed, unmatched="shuffled")
                arrays = (x, y, lone_x[: args.unmatched], lone_y[: args.unmatched])
                problem = closed_form.Problem(*(jnp.asarray(z) for z in arrays))
                metrics = measure.summarize(measure.score(idea(problem), task))
                found.append([100 * metrics[metric] for metric in MAIN])
            rows.append({"idea": name, "pairs": pairs, "figures": found})
            print(name, pairs, np.mean(found, axis=0).round(1), flush=True)
    publish(rows, args)


def publish(rows: list[dict], args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(), "seeds": args.seeds, "rows": rows}
    (args.out / "negative.json").write_text(json.dumps(record, indent=1) + "\n")
    seeds = ", ".join(map(str, args.seeds))
    lines = [
        "# Gentle transport: what it is made of, and what did not help",
        "",
        f"`python benchmarks/negative.py --features=...`: remote sensing, validation items, seeds "
        f"{seeds}, {args.unmatched} unmatched items of each modality; zero-shot / i2t / t2i, per "
        "cent, mean over seeds, and in brackets the sum's distance from the first line.",
        "",
        "| idea | " + " | ".join(f"{pairs} pairs" for pairs in args.pairs) + " |",
        "|---|" + "--:|" * len(args.pairs),
    ]
    means = {(row["idea"], row["pairs"]): np.mean(row["figures"], axis=0) for row in rows}
    for name in IDEAS:
        cells = []
        for pairs in args.pairs:
            mean, base = means[name, pairs], means[next(iter(IDEAS)), pairs]
            figures = " / ".join(f"{value:.1f}" for value in mean)
            cells.append(f"{figures} ({np.sum(mean) - np.sum(base):+.1f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    (args.out / "negative.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()

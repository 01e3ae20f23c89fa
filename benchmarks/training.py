"""Trainings of several variants of a config with several seeds, and tables of what they reach."""

import argparse
import json
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping

from gentle_clip_jax.config import load_config
from gentle_clip_jax.report import results
from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.runs.log import processor
from gentle_clip_jax.runs.taken import taken

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECALLS = [f"{direction}_r{k}" for direction in ("i2t", "t2i") for k in (1, 5, 10)]
METRICS = [*RECALLS, "mean_recall", "zero_shot_accuracy"]
NO_MMD, NO_SDD, NO_SSL = (f"--config.loss.{term}_weight=0" for term in ("mmd", "sdd", "ssl"))
CLIP_SSL = (NO_MMD, NO_SDD, "--config.train.batch_unmatched=0")  # of the pairs alone
CLIP = (*CLIP_SSL, NO_SSL)
# By name: what the tables call it, its config, its overrides.
Variants = Mapping[str, tuple[str, str, tuple[str, ...]]]


def run_all(
    script: str,
    description: str,
    variants: Variants,
    *,
    name: str = "",
    seeds: Iterable[int] = (0, 1, 2),
) -> tuple[dict, pathlib.Path]:
    """Does what the command line of a benchmark says; returns what was measured, and for where.

    `name` is an argument before those that are read here.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    out = ROOT / "runs" / f"{name or script}_benchmark"
    parser.add_argument("--out", type=pathlib.Path, default=out)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--only", action="append", choices=variants, help="may be repeated")
    parser.add_argument("--seeds", type=int, nargs="+", default=[*seeds])
    parser.add_argument("--report-only", action="store_true", help="train nothing")
    args, overrides = parser.parse_known_args()
    if not args.report_only:
        for seed in args.seeds:  # all variants of one seed first, so that pairs are early complete
            for variant in args.only or variants:
                try:
                    measure(variants[variant], seed, args.out / variant / str(seed), overrides)
                except (ValueError, subprocess.CalledProcessError) as error:
                    sys.exit(f"{variant}, seed {seed}: {error}")
    kept = kept_runs(args.results / f"{name or script}.json")
    runs = {}
    for variant in variants:
        found = {seed: read_run(args.out / variant / str(seed)) for seed in args.seeds}
        runs[variant] = {
            seed: run or kept.get(variant, {}).get(str(seed))
            for seed, run in found.items()
            if run or str(seed) in kept.get(variant, {})
        }
    args.results.mkdir(parents=True, exist_ok=True)
    words = [word for word in sys.argv[1:] if word != "--report-only"]
    command = shlex.join(["python", f"benchmarks/{script}.py", *filter(None, [name]), *words])
    return {"machine": processor(), "command": command, "runs": runs}, args.results


def kept_runs(path: pathlib.Path) -> dict[str, dict[str, dict]]:
    """What was measured before, of which there may be no folder on this machine."""
    return json.loads(path.read_text())["runs"] if path.exists() else {}


def measure(
    variant: tuple[str, str, tuple[str, ...]],
    seed: int,
    workdir: pathlib.Path,
    overrides: Iterable[str],
) -> None:
    """Trains and evaluates one run, unless it has been."""
    _, config, own = variant
    path = ROOT / "configs" / f"{config}.py"
    arguments = [*own, f"--config.seed={seed}", *overrides]
    # Raises if the folder holds a run of an older config, which must not pass for this one.
    with taken(workdir, load_config(path, arguments)):
        take_start(workdir)
    if (workdir / "evaluation.json").exists():
        return
    command = [sys.executable, "-m", "gentle_clip_jax"]
    subprocess.run(
        [*command, "train", f"--config={path}", f"--workdir={workdir}", *arguments], check=True
    )
    subprocess.run([*command, "evaluate", f"--workdir={workdir}"], check=True)


def take_start(workdir: pathlib.Path) -> None:
    """Copies the heads' start of another variant, if one has the same: it takes minutes."""
    own, start = read_config(workdir), pathlib.Path("cache", "start.npz")
    if (workdir / start).exists():
        return
    for other in sorted(workdir.parents[1].glob(f"*/{own.seed}")):
        made = read_config(other)
        if (other / start).exists() and (made.data, made.model) == (own.data, own.model):
            (workdir / start).parent.mkdir(exist_ok=True)
            shutil.copyfile(other / start, workdir / start)
            return


def read_run(workdir: pathlib.Path) -> dict | None:
    """The figures of a run on test and on validation, at the checkpoint validation chose."""
    if not (workdir / "evaluation.json").exists():
        return None
    evaluation = json.loads((workdir / "evaluation.json").read_text())
    info = json.loads((workdir / "run.json").read_text())
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    validations = {line["step"]: line for line in lines if line["kind"] == "validation"}

    def of_step(step: int) -> dict[str, float]:
        found = validations.get(step, {})
        return {name: found[name] for name in METRICS if name in found}

    return {
        "step": evaluation["step"],
        "seconds": info["seconds"],
        "versions": info["versions"],
        "test": {name: figure["value"] for name, figure in evaluation["metrics"].items()},
        "validation": of_step(evaluation["step"]),
        "start": of_step(0),
    }


def not_measured(runs: dict, variants: Variants) -> str:
    """A sentence that names the variants without a run; empty if there are none."""
    missing = [variants[name][0] for name, seeds in runs.items() if not seeds]
    return f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""


def how_measured(content: dict, script: str) -> str:
    """The command, the machine and the versions."""
    first = next((run for seeds in content["runs"].values() for run in seeds.values()), None)
    versions = first["versions"] if first else {}
    return f"""`{content["command"]}` on {content["machine"]}, with
{", ".join(f"{name} {version}" for name, version in versions.items())}. Seconds are of the training
with its validations, and with the heads' start unless another variant has the same. Every run's
figures: [{script}.json]({script}.json)."""


def paired_table(ours: dict, theirs: dict, metrics: Iterable[str] = METRICS) -> str:
    """Metrics by row: both runs, and their difference for every seed that has both."""
    seeds = [seed for seed in ours if seed in theirs]
    head = ["", "Gentle-CLIP", "CLIP", *(f"difference, seed {seed}" for seed in seeds), "mean"]
    rows = []
    for name in metrics:
        a, b = ([runs[seed]["test"][name] for seed in seeds] for runs in (ours, theirs))
        differences = [100 * (x - y) for x, y in zip(a, b, strict=True)]
        mean = [f"**{statistics.mean(differences):+z.1f}**"] if seeds else [""]
        signed = [f"{difference:+z.1f}" for difference in differences]
        rows.append([results.label(name, ("image", "text")), spread(a), spread(b), *signed, *mean])
    return table(head, rows)


def ablation_table(runs: dict, variants: Variants, ours: str, metrics: Iterable[str]) -> str:
    """Other variants by row: `ours` minus theirs with the same seeds, in points, by metric."""
    metrics, rows = [*metrics], []
    for name, theirs in runs.items():
        if name == ours or not (seeds := [seed for seed in runs[ours] if seed in theirs]):
            continue
        pairs = [(runs[ours][seed]["test"], theirs[seed]["test"]) for seed in seeds]
        cells = [spread([a[metric] - b[metric] for a, b in pairs], sign="+") for metric in metrics]
        rows.append([variants[name][0], str(len(seeds)), *cells])
    return table(
        ["minus", "seeds", *(results.label(name, ("image", "text")) for name in metrics)], rows
    )


def variants_table(runs: dict, variants: Variants, split: str) -> str:
    """Variants by row, metrics by column."""
    short = [name.upper().replace("_R", " R@") for name in RECALLS]
    head = ["", "seeds", *short, "mean of R@k", "zero-shot", "seconds"]
    rows = []
    for name, seeds in runs.items():
        if seeds:
            figures = [
                spread([run[split][metric] for run in seeds.values() if metric in run[split]])
                for metric in METRICS
            ]
            seconds = statistics.mean(run["seconds"] for run in seeds.values())
            rows.append([variants[name][0], str(len(seeds)), *figures, f"{seconds:.0f}"])
    return table(head, rows)


def spread(values: list[float], sign: str = "") -> str:
    """Mean and sample standard deviation in per cent; with a sign, if asked.

    >>> spread([0.1, 0.2, 0.3]), spread([0.1], sign="+")
    ('20.0 ± 10.0', '+10.0')
    """
    if not values:
        return "-"
    mean = f"{100 * statistics.mean(values):{sign}.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))

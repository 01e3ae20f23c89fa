"""Trainings of several variants of a config with several seeds."""

import argparse
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping

from published import RESULTS, ROOT, read

from gentle_clip_jax.runs.folder import read_config
from gentle_clip_jax.runs.log import processor
from gentle_clip_jax.runs.taken import taken
from gentle_clip_jax.tasks.config import load_config

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
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
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
    kept = read(name or script, args.results)
    runs, versions, commits = {}, kept.get("versions", {}), kept.get("commits", {})
    for variant in variants:
        of_variant = kept.get("runs", {}).get(variant, {})
        found = {str(seed): read_run(args.out / variant / str(seed)) for seed in args.seeds}
        runs[variant] = of_variant | {seed: run for seed, run in found.items() if run}
    for variant, seeds in runs.items():
        for run in seeds.values():
            versions = run.pop("versions", versions)
            made = commits.get(variant, []), run.pop("commit", None)
            commits[variant] = [*dict.fromkeys(filter(None, [*made[0], made[1]]))]
    labels = {key: label for key, (label, *_) in variants.items()}
    words = [*filter(None, [name]), *(word for word in sys.argv[1:] if word != "--report-only")]
    called = shlex.join(["python", f"benchmarks/{script}.py", *words])
    content = {"machine": processor(), "command": called, "versions": versions, "labels": labels}
    return content | {"commits": commits, "runs": runs}, args.results


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
        "commit": (info.get("commit") or "")[:7],
        "test": {name: figure["value"] for name, figure in evaluation["metrics"].items()},
        "validation": of_step(evaluation["step"]),
        "start": of_step(0),
    }

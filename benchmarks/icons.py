"""Icon search measured: Gentle-CLIP, CLIP on the pairs alone, the official form, the ablations.

    python benchmarks/icons.py [--only NAME] [--seeds 0 1 2] [--out runs/icons_benchmark]

Each training is a process of its own that goes on where it was stopped, so the command can be
killed and run again. Writes docs/results/icons.md and icons.json. Arguments it does not know go to
every training: --config.train.steps=2.
"""

import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import sys

from gentle_clip_jax import experiment
from gentle_clip_jax.cli import load_config
from gentle_clip_jax.report import results
from gentle_clip_jax.run_log import processor

ROOT = pathlib.Path(__file__).resolve().parents[1]
NO_MMD, NO_SDD, NO_SSL = (f"--config.loss.{term}_weight=0" for term in ("mmd", "sdd", "ssl"))
# Name: what the tables call it, its config, its overrides.
VARIANTS = {
    "gentle_clip": ("Gentle-CLIP", "icons", ()),
    "clip_only": ("CLIP, pairs alone", "icons_clip", ()),
    "all_pairs": (
        "CLIP, all pairs, 3,000 steps (ceiling)",
        "icons_clip",
        ("--config.data.matched_fraction=1.0", "--config.train.steps=3000"),
    ),
    "official": ("Gentle-CLIP, official form", "icons_official", ()),
    "without_ssl": ("Gentle-CLIP without SSL", "icons", (NO_SSL,)),
    "without_mmd": ("Gentle-CLIP without MMD", "icons", (NO_MMD,)),
    "without_sdd": ("Gentle-CLIP without SDD", "icons", (NO_SDD,)),
    "clip_ssl": ("CLIP + SSL", "icons", (NO_MMD, NO_SDD)),
    "clip_mmd": ("CLIP + MMD", "icons", (NO_SDD, NO_SSL)),
    "clip_sdd": ("CLIP + SDD", "icons", (NO_MMD, NO_SSL)),
}
RECALLS = [f"{direction}_r{k}" for direction in ("i2t", "t2i") for k in (1, 5, 10)]
METRICS = [*RECALLS, "mean_recall", "zero_shot_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "icons_benchmark")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="may be repeated")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--report-only", action="store_true", help="train nothing")
    args, overrides = parser.parse_known_args()
    if not args.report_only:
        for seed in args.seeds:  # all variants of one seed first, so that pairs are early complete
            for name in args.only or VARIANTS:
                try:
                    measure(name, seed, args.out, overrides)
                except (ValueError, subprocess.CalledProcessError) as error:
                    sys.exit(f"{name}, seed {seed}: {error}")
    runs = {
        name: {seed: run for seed in args.seeds if (run := read_run(args.out / name / str(seed)))}
        for name in VARIANTS
    }
    args.results.mkdir(parents=True, exist_ok=True)
    words = [word for word in sys.argv[1:] if word != "--report-only"]
    command = shlex.join(["python", "benchmarks/icons.py", *words])
    content = {"machine": processor(), "command": command, "runs": runs}
    experiment.write_json(args.results / "icons.json", content)
    (args.results / "icons.md").write_text(page(content))
    print(args.results / "icons.md")


def measure(name: str, seed: int, out: pathlib.Path, overrides: list[str]) -> None:
    """Trains and evaluates one run, unless it has been."""
    _, config, own = VARIANTS[name]
    path, workdir = ROOT / "configs" / f"{config}.py", out / name / str(seed)
    arguments = [*own, f"--config.seed={seed}", *overrides]
    # Raises if the folder holds a run of an older config, which must not pass for this one.
    experiment.open_workdir(load_config(path, arguments), workdir)
    if (workdir / "evaluation.json").exists():
        return
    command = [sys.executable, "-m", "gentle_clip_jax"]
    subprocess.run(
        [*command, "train", f"--config={path}", f"--workdir={workdir}", *arguments], check=True
    )
    subprocess.run([*command, "evaluate", f"--workdir={workdir}"], check=True)


def read_run(workdir: pathlib.Path) -> dict | None:
    """The figures of a run on test and on validation, at the checkpoint validation chose."""
    if not (workdir / "evaluation.json").exists():
        return None
    evaluation = json.loads((workdir / "evaluation.json").read_text())
    info = json.loads((workdir / "run.json").read_text())
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    (validation, *_) = (
        line
        for line in lines
        if line["kind"] == "validation" and line["step"] == evaluation["step"]
    )
    return {
        "step": evaluation["step"],
        "seconds": info["seconds"],
        "versions": info["versions"],
        "test": {name: evaluation["metrics"][name]["value"] for name in METRICS},
        "validation": {name: validation[name] for name in METRICS},
    }


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    runs = content["runs"]
    missing = [VARIANTS[name][0] for name, seeds in runs.items() if not seeds]
    first = next((run for seeds in runs.values() for run in seeds.values()), None)
    versions = first["versions"] if first else {}
    note = f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""
    return f"""# Icon search: what the terms bring

Material icons that no run has trained on, by image and by name, in per cent: mean and sample
standard deviation over the seeds. A seed decides which tenth of the training icons are pairs, the
first weights, and the batches; the held-out icons stay the same. Each figure is that of the
checkpoint with the best mean recall on the validation icons. Equal names count as hits.
{note}
## Gentle-CLIP beside CLIP on the same pairs, test icons

{paired_table(runs["gentle_clip"], runs["clip_only"])}

Difference: Gentle-CLIP minus CLIP with the same seed, in points.

## Every variant, test icons

{variants_table(runs, "test")}

## Every variant, validation icons

{variants_table(runs, "validation")}

## How it was measured

`{content["command"]}` on {content["machine"]}, with
{", ".join(f"{name} {version}" for name, version in versions.items())}. Seconds are of the training
with its validations. Every run's figures: [icons.json](icons.json).
"""


def paired_table(ours: dict, theirs: dict) -> str:
    """Metrics by row: both runs, and their difference for every seed that has both."""
    seeds = [seed for seed in ours if seed in theirs]
    head = ["", "Gentle-CLIP", "CLIP", *(f"difference, seed {seed}" for seed in seeds), "mean"]
    rows = []
    for name in METRICS:
        a, b = ([runs[seed]["test"][name] for seed in seeds] for runs in (ours, theirs))
        differences = [100 * (x - y) for x, y in zip(a, b, strict=True)]
        mean = [f"**{statistics.mean(differences):+z.1f}**"] if seeds else [""]
        signed = [f"{difference:+z.1f}" for difference in differences]
        rows.append([results.label(name), spread(a), spread(b), *signed, *mean])
    return table(head, rows)


def variants_table(runs: dict, split: str) -> str:
    """Variants by row, metrics by column."""
    short = [name.upper().replace("_R", " R@") for name in RECALLS]
    head = ["", "seeds", *short, "mean of R@k", "zero-shot", "seconds"]
    rows = []
    for name, seeds in runs.items():
        if seeds:
            figures = [spread([run[split][metric] for run in seeds.values()]) for metric in METRICS]
            seconds = statistics.mean(run["seconds"] for run in seeds.values())
            rows.append([VARIANTS[name][0], str(len(seeds)), *figures, f"{seconds:.0f}"])
    return table(head, rows)


def spread(values: list[float]) -> str:
    """Mean and sample standard deviation in per cent.

    >>> spread([0.1, 0.2, 0.3])
    '20.0 ± 10.0'
    """
    if not values:
        return "-"
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


if __name__ == "__main__":
    main()

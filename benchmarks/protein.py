"""Proteins measured: towers trained on few pairs, and what needs no training, side by side.

    python benchmarks/protein.py --config.data.folder=data/pdb-domains-3d [--seeds 0 1 2]

Each training is a process of its own that goes on where it was stopped, so the command can be
killed and run again. Writes docs/results/protein.md and protein.json. Arguments it does not know go
to every training.
"""

import json
import pathlib
import statistics
import subprocess
import sys

import training

from gentle_clip_jax import experiment

METRICS = {
    "crop_mrr": "crop MRR",
    "crop_r1": "crop R@1",
    "length_matched_mrr": "length-matched MRR",
    "distinct_crop_mrr": "distinct crop MRR",
    "class_transfer": "class transfer",
}
NO_MMD, NO_SDD, NO_SSL, NO_RESIDUE = (
    f"--config.loss.{term}_weight=0" for term in ("mmd", "sdd", "ssl", "residue")
)
NO_SETS = (NO_MMD, NO_SDD, NO_SSL, "--config.train.batch_unmatched=0")
FRACTIONS = {"1 %": "0.01", "10 %": "0.1", "100 %": "1.0"}
TRAINED = {
    "gentle_clip": ("Gentle-CLIP", ()),
    "clip": ("CLIP, same pairs", (*NO_SETS, NO_RESIDUE, "--config.model.start=cca")),
    "clip_residues": ("CLIP + residue term", (*NO_SETS, "--config.model.start=cca")),
    "without_residues": ("Gentle-CLIP without residue term", (NO_RESIDUE,)),
}
UNTRAINED = {
    "residues_linear": "linear model of residues",
    "transported_cca": "transported CCA, pooled",
    "cca": "CCA, pooled",
    "scales": "published scales, no pairs",
    "lengths": "whole length alone (no crop shows it)",
    "chance": "chance; largest class",
}


def variants() -> training.Variants:
    """Trainings by name/fraction: label, config, overrides."""
    return {
        f"{name}/{fraction}": (
            f"{label}, {words} of the pairs",
            "protein",
            (f"--config.data.matched_fraction={fraction}", *own),
        )
        for words, fraction in FRACTIONS.items()
        for name, (label, own) in TRAINED.items()
        # With all pairs nothing is unmatched: the ceiling.
        if fraction != "1.0" or name == "clip_residues"
    }


def main() -> None:
    training.METRICS = [*METRICS, "mean_recall"]
    content, folder = training.run_all("protein", __doc__.partition("\n")[0], variants())
    content["untrained"] = untrained(content["runs"])
    experiment.write_json(folder / "protein.json", content)
    (folder / "protein.md").write_text(page(content))
    print(folder / "protein.md")


def untrained(runs: dict) -> dict:
    """Figures of what is not trained, by fraction and seed; measured once and kept."""
    out = training.ROOT / "runs" / "protein_benchmark" / "untrained"
    if "--out" in sys.argv:
        out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1]) / "untrained"
    seeds = sorted({seed for name in runs for seed in runs[name]})
    overrides = [word for word in sys.argv[1:] if word.startswith("--config.")]
    results: dict[str, dict[int, dict]] = {}
    for fraction in FRACTIONS.values():
        for seed in seeds:
            path = out / fraction / f"{seed}.json"
            if not path.exists() and "--report-only" not in sys.argv:
                script = pathlib.Path(__file__).with_name("protein_baselines.py")
                own = [f"--config.seed={seed}", f"--config.data.matched_fraction={fraction}"]
                subprocess.run([sys.executable, script, path, *own, *overrides], check=True)
        found = {int(path.stem): path for path in sorted((out / fraction).glob("*.json"))}
        if found:
            results[fraction] = {s: json.loads(path.read_text()) for s, path in found.items()}
    return results


def table(content: dict, fraction: str, split: str) -> str:
    """Methods by row, metrics by column."""
    rows = []
    for name, (label, *_) in TRAINED.items():
        runs = content["runs"].get(f"{name}/{fraction}", {})
        if runs:
            rows.append(row(label, [run[split] for run in runs.values()]))
    for name, label in UNTRAINED.items():
        runs = content["untrained"].get(fraction, {})
        if runs:
            rows.append(row(label, [run[name][split] for run in runs.values()]))
    return training.table(["", "seeds", *METRICS.values()], rows)


def row(label: str, figures: list[dict[str, float]]) -> list[str]:
    cells = [
        training.spread([one[metric] for one in figures if metric in one]) for metric in METRICS
    ]
    return [label, str(len(figures)), *cells]


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    measured = [words for words, fraction in FRACTIONS.items() if has(content, fraction)]
    sections = "\n".join(
        f"## {words} of the pairs, {split} domains\n\n{table(content, FRACTIONS[words], split)}\n"
        for split in ("test", "validation")
        for words in measured
    )
    runs = {name: one for name, one in content["runs"].items() if one}
    seconds = [run["seconds"] for one in runs.values() for run in one.values()]
    longest = f" The longest training took {max(seconds) / 60:.0f} minutes." if seconds else ""
    return f"""# Proteins: sequence with structure, few pairs

pdb-domains-3d, split by homology; settings: configs/protein.py. Per cent, mean and sample standard
deviation over the seeds; a seed decides which training domains are pairs, the first weights, and
the batches. Each figure is that of the checkpoint with the best mean of crop MRR and class transfer
on the validation domains.

- **crop MRR, R@1**: both views are cut to the same central 64 residues, so that neither length nor
  ends give a pair away; shorter domains are left out; both directions' mean.
- **length-matched**: among the 20 domains nearest in length (a random order has
  {100 * statistics.mean(1 / k for k in range(1, 21)):.1f}). **distinct**: only domains that share
  few 5-mers with an earlier one.
- **class transfer**: whole domains; CATH class 1, 2 or 3 of a structure by the nearest prototype,
  prototypes being made of training *sequences*.
- **linear model of residues**: ridge regression of the amino acid on the invariants of its own
  place, the same for all places: what the towers' features bring before anything is deep.
- Three test domains that overlap training domains are dropped: d3aaab_, 2pbdA04, d3ssba_.
{training.not_measured(content["runs"], variants())}
{sections}
## How it was measured

{training.how_measured(content, "protein")}{longest}
"""


def has(content: dict, fraction: str) -> bool:
    trained = any(one and name.endswith(f"/{fraction}") for name, one in content["runs"].items())
    return trained or fraction in content["untrained"]


if __name__ == "__main__":
    main()

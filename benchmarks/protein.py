"""Proteins measured: towers trained on few pairs, and what needs no training, side by side.

    python benchmarks/protein.py protein --config.data.folder=data/pdb-domains-3d [--seeds 0 1]
    python benchmarks/protein.py protein_scope --config.data.folder=data/scope-seq-ss
    python benchmarks/protein.py protein_enzymes --config.data.folder=data/enzyme-reaction-ec

Each training is a process of its own that goes on where it was stopped, so the command can be
killed and run again. Writes docs/results/NAME.md and NAME.json, NAME being the first argument.
Arguments it does not know go to every training.
"""

import json
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterable
from typing import NamedTuple

import training
from training import CLIP, CLIP_SSL, NO_MMD, NO_SDD, NO_SSL

from gentle_clip_jax.files import write_json
from gentle_clip_jax.tasks.proteins.task import HEADLINE


class Benchmark(NamedTuple):
    """A set of proteins: its config, what its page says, what it is tested on, its metrics."""

    config: str
    title: str
    about: str
    sets: dict[str, str]  # by the prefix of their metrics
    metrics: dict[str, str]


RETRIEVAL = {
    "crop_mrr": "crop MRR",
    "crop_r1": "crop R@1",
    "length_matched_mrr": "length-matched MRR",
    "distinct_crop_mrr": "distinct crop MRR",
}
BENCHMARKS = {
    "protein": Benchmark(
        "protein",
        "Proteins: sequence with structure, few pairs",
        """pdb-domains-3d, split by homology.

- **class, topology transfer**: whole domains; CATH class (1, 2 or 3) and topology of a structure by
  the nearest prototype, prototypes being made of training *sequences*. A topology that no training
  domain has counts as missed.
- Three test domains that overlap training domains are dropped: d3aaab_, 2pbdA04, d3ssba_.""",
        {"": ""},
        {
            **RETRIEVAL,
            "class_transfer": "class transfer",
            "topology_transfer": "topology transfer",
        },
    ),
    "protein_scope": Benchmark(
        "protein_dssp",
        "Proteins: sequence with DSSP string, few pairs",
        """scope-seq-ss, the splits of Hou et al. 2018: in training there are relatives of a domain
of test_family from its family, in test_superfamily from its superfamily alone, in test_fold from
its fold alone. Ten training rows that are equal to a held-out one are left out.

- **class, fold transfer**: whole domains; SCOP class (a to g) and fold of a string by the nearest
  prototype, prototypes being made of training *sequences*. A fold that no training domain has
  counts as missed.""",
        {
            "test_family/": "test_family",
            "test_superfamily/": "test_superfamily",
            "test_fold/": "test_fold",
        },
        {
            **RETRIEVAL,
            "sequence_to_structure_r1": "sequence to structure R@1",
            "class_transfer": "class transfer",
            "fold_transfer": "fold transfer",
        },
    ),
    "protein_enzymes": Benchmark(
        "protein_dssp",
        "Enzymes: sequence with DSSP string, few pairs",
        """enzyme-reaction-ec, split by clusters of half the same sequence.

- **reaction, EC transfer**: whole chains; the first number of the EC class and all four of it, of a
  string by the nearest prototype, prototypes being made of training *sequences*. An EC class that
  no training chain has counts as missed.""",
        {"": ""},
        {**RETRIEVAL, "reaction_transfer": "reaction transfer", "ec_transfer": "EC transfer"},
    ),
}
NO_RESIDUE = "--config.loss.residue_weight=0"
FRACTIONS = {"1 %": "0.01", "10 %": "0.1", "100 %": "1.0"}
TRAINED = {
    "gentle_clip": ("Gentle-CLIP", ()),
    "clip": ("CLIP, same pairs", (*CLIP, NO_RESIDUE, "--config.model.start=cca")),
    "clip_residues": ("CLIP + residue term", (*CLIP, "--config.model.start=cca")),
    "without_residues": ("Gentle-CLIP without residue term", (NO_RESIDUE,)),
    "without_mmd": ("Gentle-CLIP without MMD", (NO_MMD,)),
    "without_sdd": ("Gentle-CLIP without SDD", (NO_SDD,)),
    "without_ssl": ("Gentle-CLIP without SSL", (NO_SSL,)),
    "clip_transported": ("CLIP + residue term, transported start", CLIP),
    "clip_ssl_pairs": ("CLIP + SSL + residue term, pairs alone, transported start", CLIP_SSL),
}
# What is trained with so many of the pairs: all, and no more than says what the terms do.
ASKED = {
    "0.01": [*TRAINED],
    "0.1": [name for name in TRAINED if name not in ("without_mmd", "without_sdd", "without_ssl")],
    "1.0": ["clip_residues"],  # with all pairs nothing is unmatched: the ceiling
}
UNTRAINED = {
    "residues_linear": "linear model of residues",
    "transported_cca": "transported CCA, pooled",
    "cca": "CCA, pooled",
    "scales": "published scales, no pairs",
    "lengths": "whole length alone (no crop shows it)",
    "chance": "chance; largest class",
}


def variants(config: str) -> training.Variants:
    """Trainings by name/fraction: label, config, overrides."""
    return {
        f"{name}/{fraction}": (
            f"{TRAINED[name][0]}, {words} of the pairs",
            config,
            (f"--config.data.matched_fraction={fraction}", *TRAINED[name][1]),
        )
        for words, fraction in FRACTIONS.items()
        for name in ASKED[fraction]
    }


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        sys.exit(f"Say which set to measure first: {', '.join(BENCHMARKS)}.")
    name = sys.argv.pop(1)
    benchmark = BENCHMARKS[name]
    training.METRICS = list(benchmark.metrics)
    content, folder = training.run_all(
        "protein",
        __doc__.partition("\n")[0],
        variants(benchmark.config),
        name=name,
        seeds=range(5),
    )
    for runs in content["runs"].values():
        for run in runs.values():
            run["test"][HEADLINE] = statistics.mean(run["test"][one] for one in chosen(benchmark))
    content["untrained"] = untrained(name, content["runs"], folder / f"{name}.json")
    write_json(folder / f"{name}.json", content)
    (folder / f"{name}.md").write_text(page(name, content))
    print(folder / f"{name}.md")


def chosen(benchmark: Benchmark) -> tuple[str, str]:
    """The two metrics whose mean chooses checkpoints, and is the headline."""
    return "crop_mrr", next(one for one in benchmark.metrics if one.endswith("_transfer"))


def untrained(name: str, runs: dict, kept: pathlib.Path) -> dict:
    """Figures of what is not trained, by fraction and seed; measured once and kept."""
    before = json.loads(kept.read_text())["untrained"] if kept.exists() else {}
    out = training.ROOT / "runs" / f"{name}_benchmark" / "untrained"
    if "--out" in sys.argv:
        out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1]) / "untrained"
    seeds = sorted({str(seed) for one in runs.values() for seed in one})
    overrides = [word for word in sys.argv[1:] if word.startswith("--config.")]
    results: dict[str, dict[str, dict]] = {}
    for fraction in FRACTIONS.values():
        for seed in seeds[:1] if fraction == "1.0" else seeds:  # all pairs are the same for all
            path = out / fraction / f"{seed}.json"
            if path.exists() or seed in before.get(fraction, {}):
                continue
            if "--report-only" not in sys.argv:
                script = pathlib.Path(__file__).with_name("protein_baselines.py")
                own = [f"--config.seed={seed}", f"--config.data.matched_fraction={fraction}"]
                command = [sys.executable, script, BENCHMARKS[name].config, path]
                subprocess.run([*command, *own, *overrides], check=True)
        found = {path.stem: path for path in sorted((out / fraction).glob("*.json"))}
        new = {seed: json.loads(path.read_text()) for seed, path in found.items()}
        if known := before.get(fraction, {}) | new:
            results[fraction] = known
    return results


def table(content: dict, metrics: dict[str, str], fraction: str, split: str, prefix: str) -> str:
    """Methods by row, metrics by column."""
    rows = []

    def add(label: str, runs: Iterable[dict]) -> None:
        figures = list(runs)
        cells = [
            training.spread([one[prefix + name] for one in figures if prefix + name in one])
            for name in metrics
        ]
        rows.append([label, str(len(figures)), *cells])

    for name, (label, *_) in TRAINED.items():
        if runs := content["runs"].get(f"{name}/{fraction}", {}):
            add(label, (run[split] for run in runs.values()))
    for name, label in UNTRAINED.items():
        if runs := content["untrained"].get(fraction, {}):
            add(label, (run[name][split] for run in runs.values()))
    return training.table(["", "seeds", *metrics.values()], rows)


def page(name: str, content: dict) -> str:
    """Everything measured, as Markdown."""
    benchmark = BENCHMARKS[name]
    measured = [words for words, fraction in FRACTIONS.items() if has(content, fraction)]
    asked = [("test", *one) for one in benchmark.sets.items()] + [("validation", "", "")]
    sections = "\n".join(
        f"## {words} of the pairs, {words_of_set or split}\n\n"
        f"{table(content, benchmark.metrics, FRACTIONS[words], split, prefix)}\n"
        for split, prefix, words_of_set in asked
        for words in measured
    )
    runs = {name: one for name, one in content["runs"].items() if one}
    seconds = [run["seconds"] for one in runs.values() for run in one.values()]
    longest = f" The longest training took {max(seconds) / 60:.0f} minutes." if seconds else ""
    every, shown = variants(benchmark.config), (HEADLINE, *chosen(benchmark))
    beside = "\n".join(
        f"## Gentle-CLIP beside CLIP on the same pairs, {words} of them, test\n\n"
        f"{training.paired_table(runs[ours], runs[f'clip/{fraction}'], shown)}\n"
        for words, fraction in FRACTIONS.items()
        if (ours := f"gentle_clip/{fraction}") in runs and f"clip/{fraction}" in runs
    )
    terms = "\n".join(
        f"## What each term brings, {words} of the pairs, test\n\n"
        f"{training.ablation_table(of_fraction(runs, fraction), every, ours, shown)}\n"
        for words, fraction in FRACTIONS.items()
        if (ours := f"gentle_clip/{fraction}") in runs
    )
    return f"""# {benchmark.title}

{benchmark.about}
- **crop MRR, R@1**: both views are cut to the same central 64 residues, so that neither length nor
  ends give a pair away; shorter ones are left out; both directions' mean.
- **length-matched**: among the 20 nearest in length, where a random order has
  {100 * statistics.mean(1 / k for k in range(1, 21)):.1f}. **distinct**: only those that share few
  5-mers with an earlier one.
- **linear model of residues**: ridge regression of the amino acid on the structure in its own
  place, the same for all places: what the towers' features bring before anything is deep.

Settings: configs/{benchmark.config}.py. Per cent, mean and sample standard deviation over the
seeds; a seed decides which training items are pairs, the first weights, and the batches. Each
figure is that of the checkpoint with the best mean of crop MRR and the first kind of transfer on
the validation items. "-": not measured.
{training.not_measured(content["runs"], every)}
{beside}
Mean of MRR and transfer: the headline. Difference: Gentle-CLIP minus CLIP with the same seed, in
points; of several test sets, the means over them.

{terms}
Gentle-CLIP minus the training of the row with the same seed, in points: mean and sample standard
deviation over the seeds.

{sections}
What follows from it: [docs/protein.md](../protein.md).

## How it was measured

{training.how_measured(content, name)}{longest}
"""


def of_fraction(runs: dict, fraction: str) -> dict:
    return {name: one for name, one in runs.items() if name.endswith(f"/{fraction}")}


def has(content: dict, fraction: str) -> bool:
    trained = any(one and name.endswith(f"/{fraction}") for name, one in content["runs"].items())
    return trained or fraction in content["untrained"]


if __name__ == "__main__":
    main()

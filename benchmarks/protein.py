"""Proteins measured: towers trained on few pairs.

    python benchmarks/protein.py protein --config.data.folder=data/pdb-domains-3d [--seeds 0 1]
    python benchmarks/protein.py protein_scope --config.data.folder=data/scope-seq-ss
    python benchmarks/protein.py protein_enzymes --config.data.folder=data/enzyme-reaction-ec

Each training is a process of its own that goes on where it was stopped, so the command can be
killed and run again. Writes docs/results/NAME.json, NAME being the first argument; figures of
methods that need no training stay there as protein_baselines.py measured them (commit bb1d44c).
Arguments it does not know go to every training.
"""

import statistics
import sys

import training
from published import publish, read
from training import CLIP, CLIP_SSL, NO_MMD, NO_SDD, NO_SSL

from gentle_clip_jax.tasks.proteins.task import HEADLINE

# By name: the config, and the metric whose mean with crop MRR is the headline.
BENCHMARKS = {
    "protein": ("protein", "class_transfer"),
    "protein_scope": ("protein_dssp", "class_transfer"),
    "protein_enzymes": ("protein_dssp", "reaction_transfer"),
}
METRICS = ["crop_mrr", "crop_r1", "length_matched_mrr", "distinct_crop_mrr"]
METRICS += [f"{kind}_transfer" for kind in ("class", "topology", "fold", "reaction", "ec")]
METRICS += ["sequence_to_structure_r1"]
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
    "clip_ssl_pairs": ("CLIP + SSL + residue term, pairs only, transported start", CLIP_SSL),
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
    "lengths": "length of the whole protein (hidden by crops)",
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
    config, transfer = BENCHMARKS[name]
    training.METRICS = METRICS
    content, folder = training.run_all(
        "protein", __doc__.partition("\n")[0], variants(config), name=name, seeds=range(5)
    )
    for runs in content["runs"].values():
        for run in runs.values():
            run["test"][HEADLINE] = statistics.mean(run["test"][m] for m in ("crop_mrr", transfer))
    content["labels"] = {key: label for key, (label, _) in TRAINED.items()} | UNTRAINED
    content["untrained"] = read(name).get("untrained", {})
    publish(name, content, folder)


if __name__ == "__main__":
    main()

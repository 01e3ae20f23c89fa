"""Captioned images measured: pretrained towers trained on few pairs and much else, three seeds.

    python benchmarks/captioned_images.py remote_sensing --config.data.folder=data [--seeds 0 1 2]

The first argument is a config: remote_sensing or vision_language. Each training is a process of its
own that goes on where it was stopped, so the command can be killed and run again. Writes
docs/results/CONFIG.md and CONFIG.json. Arguments it does not know go to every training.
"""

import json
import statistics
import sys

import training
from training import CLIP, CLIP_SSL, NO_MMD, NO_SDD, NO_SSL

from gentle_clip_jax.config import load_config
from gentle_clip_jax.files import write_json

TITLES = {
    "remote_sensing": "Remote sensing: towers trained on a tenth of the pairs",
    "vision_language": "General vision-language: towers trained on a third of the pairs",
}
# The forms and weights of the paper's public demo.
DEMO = load_config(training.ROOT / "configs" / "icons_official.py").loss
OFFICIAL = tuple(f"--config.loss.{key}={value}" for key, value in DEMO.items())
CHOSEN = {"mean_recall": "mean of R@k", "zero_shot_accuracy": "zero-shot"}


def variants(config: str) -> training.Variants:
    """What is compared, by name: label, config, overrides."""
    return {
        "gentle_clip": ("Gentle-CLIP, transported start", config, ()),
        "clip": ("CLIP, CCA start", config, (*CLIP, "--config.model.start=cca")),
        "clip_random": ("CLIP, random heads", config, (*CLIP, "--config.model.start=random")),
        "all_pairs": (
            "CLIP, all pairs (ceiling)",
            config,
            (*CLIP, "--config.model.start=cca", "--config.data.matched_fraction=1.0"),
        ),
        "clip_transported": ("CLIP, transported start", config, CLIP),
        "clip_ssl_pairs": ("CLIP + SSL, pairs alone, transported start", config, CLIP_SSL),
        "official": ("Gentle-CLIP, the paper's forms and weights", config, OFFICIAL),
        "without_ssl": ("Gentle-CLIP without SSL", config, (NO_SSL,)),
        "without_mmd": ("Gentle-CLIP without MMD", config, (NO_MMD,)),
        "without_sdd": ("Gentle-CLIP without SDD", config, (NO_SDD,)),
    }


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TITLES:
        sys.exit(f"Say which config to measure first: {' or '.join(TITLES)}.")
    config = sys.argv.pop(1)
    content, folder = training.run_all(
        "captioned_images", __doc__.partition("\n")[0], variants(config), name=config
    )
    write_json(folder / f"{config}.json", content)
    (folder / f"{config}.md").write_text(page(config, content))
    print(folder / f"{config}.md")


def page(config: str, content: dict) -> str:
    """Everything measured, as Markdown."""
    runs = content["runs"]
    return f"""# {TITLES[config]}

Settings: configs/{config}.py. Per cent, mean and sample standard deviation over the seeds; a seed
decides which training images keep their captions, and the batches. Recalls are the mean over the
sets that are searched, strict: only an image's own captions count, though others read the same.
Zero-shot is the mean over the sets that are classified. Each figure is that of the checkpoint with
the best mean recall on the validation images, the untrained start among them (step 0).
{training.not_measured(runs, variants(config))}
## Gentle-CLIP beside CLIP on the same pairs, test images

{training.paired_table(runs["gentle_clip"], runs["clip"])}

Difference: Gentle-CLIP minus CLIP from its CCA start with the same seed, in points.

## What each term brings, test images

{training.ablation_table(runs, variants(config), "gentle_clip", [*CHOSEN])}

Gentle-CLIP minus the variant of the row with the same seed, in points: mean and sample standard
deviation over the seeds.

## Every variant, test images

{training.variants_table(runs, variants(config), "test")}

## Beside closed forms on frozen features, test images

{beside_frozen(config, runs)}

Frozen: features of the same images, enlarged from 128 to the 224 pixels that the encoder was made
for; from [{config}_frozen.md]({config}_frozen.md). i2t, t2i: mean of R@1, R@5 and R@10, strict.

## Every variant, validation images

{training.variants_table(runs, variants(config), "validation")}

## What training adds to its start, validation images

{start_and_end(config, runs)}

## Set by set, test images

{by_set(config, runs)}

What follows from it: [docs/towers.md](../towers.md).

## How it was measured

{training.how_measured(content, config)}
"""


def beside_frozen(config: str, runs: dict) -> str:
    """Trained towers, and what closed forms reach with a tenth of the pairs and with all."""
    rows = []
    for name, seeds in runs.items():
        tests = [run["test"] for run in seeds.values()]
        sides = [
            [statistics.mean(test[f"{side}_r{k}"] for k in (1, 5, 10)) for test in tests]
            for side in ("i2t", "t2i")
        ]
        both = ([test[metric] for test in tests] for metric in CHOSEN)
        if tests:
            label = variants(config)[name][0]
            rows.append([label, "trained", *map(training.spread, (*sides, *both))])
    path = training.ROOT / "docs" / "results" / f"{config}_frozen.json"
    frozen = json.loads(path.read_text())["runs"]
    for method, label in (("cca", "shrinkage CCA"), ("gentle_transport", "gentle transport")):
        for fraction in (0.1, 1.0):
            found = [
                run["metrics"]
                for run in frozen
                if run["method"] == method and abs(run["fraction"] - fraction) < 0.01
            ]
            if found:
                for one in found:
                    one["mean"] = statistics.mean((one["i2t_strict"], one["t2i"]))
                figures = (
                    training.spread([one[metric] for one in found])
                    for metric in ("i2t_strict", "t2i", "mean", "zero_shot")
                )
                rows.append([f"{label}, {fraction:.0%} of the pairs", "frozen", *figures])
    return training.table(["", "towers", "i2t", "t2i", *CHOSEN.values()], rows)


def start_and_end(config: str, runs: dict) -> str:
    """Variants by row: what the start reaches, which is not trained, and what was chosen."""
    head = ["", *(f"{label}, {when}" for label in CHOSEN.values() for when in ("start", "chosen"))]
    rows = [
        [variants(config)[name][0]]
        + [
            training.spread([run[when][metric] for run in seeds.values() if metric in run[when]])
            for metric in CHOSEN
            for when in ("start", "validation")
        ]
        for name, seeds in runs.items()
        if seeds
    ]
    return training.table(head, rows)


def by_set(config: str, runs: dict) -> str:
    """Variants by row, what was measured on each set by column; and the step that was chosen."""
    done = {name: seeds for name, seeds in runs.items() if seeds}
    first = next((run for seeds in done.values() for run in seeds.values()), {"test": {}})
    wanted = ("/mean_recall", "/zero_shot_accuracy")
    columns = [name for name in first["test"] if name.endswith(wanted)]
    head = [
        "",
        *(
            c.replace("/mean_recall", " recall").replace("/zero_shot_accuracy", " zero-shot")
            for c in columns
        ),
        "step chosen",
    ]
    rows = []
    for name, seeds in done.items():
        figures = [training.spread([run["test"][c] for run in seeds.values()]) for c in columns]
        steps = ", ".join(str(run["step"]) for run in seeds.values())
        rows.append([variants(config)[name][0], *figures, steps])
    return training.table(head, rows)


if __name__ == "__main__":
    main()

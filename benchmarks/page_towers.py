"""Pages of trained towers: icons, captioned images and proteins."""

import statistics
from collections.abc import Iterable

from few_pairs.cells import is_clear
from published import commits_of, machine_of, percent, read, spread, table

SHORT = {"mean_recall": "mean of R@k", "zero_shot_accuracy": "zero-shot"}
RECALLS = {f"{way}_r{k}": f"{way.upper()} R@{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)}
PROTEIN_SETS = {
    "protein": (
        "Domains: sequence with structure",
        "pdb-domains-3d, split by homology. Three test domains that overlap training domains are "
        "dropped: d3aaab_, 2pbdA04, d3ssba_. *Class* (CATH 1, 2 or 3) and *topology*.",
        {"class_transfer": "class", "topology_transfer": "topology"},
    ),
    "protein_scope": (
        "Domains: sequence with DSSP string",
        "scope-seq-ss, the splits of Hou et al. 2018, means over test_family, test_superfamily and "
        "test_fold; training rows equal to a held-out row are left out. *Class* (SCOP a to g) and "
        "*fold*.",
        {"class_transfer": "class", "fold_transfer": "fold"},
    ),
    "protein_enzymes": (
        "Enzymes: sequence with DSSP string",
        "enzyme-reaction-ec, split by clusters of 50 % sequence identity. *Reaction*: the first "
        "number of the EC class; *EC*: all four.",
        {"reaction_transfer": "reaction", "ec_transfer": "EC"},
    ),
}
RETRIEVAL = {
    "crop_mrr": "crop MRR",
    "crop_r1": "crop R@1",
    "length_matched_mrr": "length-matched MRR",
    "distinct_crop_mrr": "distinct crop MRR",
}
HEADLINE = "mean_of_mrr_and_transfer"
FRACTIONS = {"0.01": "1 %", "0.1": "10 %", "1.0": "100 %"}


SETTINGS_OF_ICONS = """## Choice of settings

Settings were chosen on icons of held-out stems, never on test icons: 300 at first, and later 1,000
of a larger validation part. Each setting had one run; differences below the noise were ignored.

- **Steps and learning rate** mattered most. CLIP on the pairs alone kept improving long after its
  training loss was small, so both runs take 1,000 steps at a peak rate of 2e-3.
- **Views** (augmentations) that change the stroke or keep only outlines helped CLIP and Gentle-CLIP
  alike; both use them.
- **Overlapping quarters.** Each patch of 8 x 8 pixels is embedded from four windows that reach
  beyond its quarters and overlap. This was better than plain patches, at little more cost; patches
  of 4 pixels cost several times as much.
- **A bag of tokens** (`text.depth=0`) was as good as one attention layer, and cheaper.
- **SSL** has weight 1 and temperature 0.1.
- **MMD and SDD** with large weights (2 and 100) lower recall. The distance between the means of
  both modalities shrinks without them within a few hundred steps.
"""


def icons() -> str:
    content = read("icons")
    return f"""# Icon search

## Trained towers: gains from the terms

Material icons that no run has trained on, by image and by name, per cent: mean ± sample standard
deviation over the seeds. A seed determines which tenth of the training icons are pairs, the initial
weights, and the batches. Each figure is from the checkpoint with the best mean recall on the
validation icons. Equal names count as hits.

{_minus(content, "gentle_clip", [*SHORT])}
{_every_variant(content)}
{_how(content, "icons")}
{SETTINGS_OF_ICONS}
{_icon_features()}"""


def images(config: str, title: str) -> str:
    content = read(config)
    return f"""# {title}

Settings: configs/{config}.py. Per cent, mean ± sample standard deviation over the seeds; a seed
determines which training images keep their captions, and the batches. Recalls are means over the
retrieval sets, strict: only an image's own captions are hits, not identical captions of others.
Zero-shot is the mean over the classification sets. Each figure is from the checkpoint with the best
mean recall on the validation images, including the untrained start (step 0).

{_minus(content, "gentle_clip", [*SHORT])}
{_every_variant(content)}
## Comparison with closed forms on frozen features, test images

Frozen features are from the same images, enlarged from 128 to the encoder's native 224 pixels
([page]({config}_frozen.md)). *I2T*, *T2I*: mean of R@1, R@5 and R@10, strict.

{_beside_frozen(config, content)}
## Gain of training over its start, validation images

{_start_and_end(content)}
## Each set, test images

{_by_set(content)}
Conclusions: [train_encoders.md](../train_encoders.md#what-to-expect).

{_how(content, config)}"""


def _runs(content: dict, variant: str) -> list[dict]:
    return [*content["runs"].get(variant, {}).values()]


def _minus(content: dict, ours: str, metrics: list[str], heads: Iterable[str] = ()) -> str:
    """Return the table of `ours` minus every other variant with the same seeds."""
    runs, rows = content["runs"], []
    for name, theirs in runs.items():
        seeds = [seed for seed in runs[ours] if seed in theirs]
        if name != ours and seeds:
            gaps = [
                [runs[ours][s]["test"][m] - theirs[s]["test"][m] for s in seeds] for m in metrics
            ]
            label = content["labels"][name.partition("/")[0]]
            rows.append([label, str(len(seeds)), *map(_gap, gaps)])
    heads = [*heads] or [SHORT[metric] for metric in metrics]
    return (
        "Gentle-CLIP minus the training in each row with the same seed, test items, in points; "
        "bold: the 95 % interval over the seeds does not include 0:\n\n"
        + table(["minus", "seeds", *heads], rows)
    )


def _gap(values: list[float]) -> str:
    shown = percent(values, "+")
    return f"**{shown}**" if is_clear(values) else shown


def _every_variant(content: dict) -> str:
    heads = ["", "seeds", *RECALLS.values(), *SHORT.values(), "seconds", "commit"]
    rows = []
    for name, label in content["labels"].items():
        if runs := _runs(content, name):
            cells = [percent(run["test"][m] for run in runs) for m in (*RECALLS, *SHORT)]
            seconds = statistics.mean(run["seconds"] for run in runs)
            made = commits_of(content, name)
            rows.append([label, str(len(runs)), *cells, f"{seconds:.0f}", made])
    text = "Every variant, test items; the commit is that which first stored the runs:"
    return f"{text}\n\n{table(heads, rows)}"


def _beside_frozen(config: str, content: dict) -> str:
    rows = []
    for name, label in content["labels"].items():
        if tests := [run["test"] for run in _runs(content, name)]:
            ways = [
                [statistics.mean(test[f"{way}_r{k}"] for k in (1, 5, 10)) for test in tests]
                for way in ("i2t", "t2i")
            ]
            both = [[test[metric] for test in tests] for metric in SHORT]
            rows.append([label, "trained", *map(percent, (*ways, *both))])
    for method, label in (("cca", "shrinkage CCA"), ("gentle_transport", "gentle transport")):
        for fraction in (0.1, 1.0):
            found = [
                run["metrics"]
                for run in read(f"{config}_frozen")["runs"]
                if run["method"] == method and abs(run["fraction"] - fraction) < 0.01
            ]
            if found:
                ways = [[one[way] for one in found] for way in ("i2t_strict", "t2i")]
                mean = [statistics.mean(pair) for pair in zip(*ways)]
                zero_shot = [one["zero_shot"] for one in found]
                cells = map(percent, (*ways, mean, zero_shot))
                rows.append([f"{label}, {fraction:.0%} of the pairs", "frozen", *cells])
    return table(["", "towers", "I2T", "T2I", *SHORT.values()], rows, left=2)


def _start_and_end(content: dict) -> str:
    heads = [f"{label}, {when}" for label in SHORT.values() for when in ("start", "chosen")]
    rows = []
    for name, label in content["labels"].items():
        if runs := _runs(content, name):
            cells = [
                percent(run[when][metric] for run in runs if metric in run.get(when, {}))
                for metric in SHORT
                for when in ("start", "validation")
            ]
            rows.append([label, *cells])
    return table(["", *heads], rows)


def _by_set(content: dict) -> str:
    wanted = {"/mean_recall": " recall", "/zero_shot_accuracy": " zero-shot"}
    first = _runs(content, "gentle_clip")[0]["test"]
    columns = {
        name: name.replace(end, words)
        for name in first
        for end, words in wanted.items()
        if name.endswith(end)
    }
    rows = []
    for name, label in content["labels"].items():
        if runs := _runs(content, name):
            steps = ", ".join(str(run["step"]) for run in runs)
            rows.append([label, *(percent(r["test"][c] for r in runs) for c in columns), steps])
    return table(["", *columns.values(), "chosen steps"], rows)


def _how(content: dict, name: str) -> str:
    versions = ", ".join(f"{key} {number}" for key, number in content["versions"].items())
    return f"""Measured by `{content["command"]}` on {machine_of(content)}, with {versions}.
Every run, also on validation items: [{name}.json]({name}.json).
"""


def _icon_features() -> str:
    content = read("icon_features")
    rows = []
    for key, run in content["runs"].items():
        layers, unmatched, fraction, method = key.split("/")
        share = "all" if float(fraction) == 1 else f"{float(fraction):.0%}"
        label = method.replace("+drawn", ", smoothed gallery")
        begin = [layers, "-" if share == "all" else unmatched, share, label]
        figures = [spread(values) for values in run["seeds"].values()]
        rows.append([*begin, *figures, *(_interval(run["gain"][m]) for m in ("i2t", "t2i"))])
    heads = ["features", "unmatched", "pairs", "method", "zero-shot", "I2T", "T2I", "recall"]
    return f"""## Frozen encoders

The same icons, split and 10 % of pairs, rendered at 224 pixels; a name becomes the text "an icon of
NAME". EfficientNet-Lite0 and MiniLM encode them without training; clip and gentle_clip are trained
heads. Per cent, test icons, mean ± sample standard deviation over seeds
{", ".join(map(str, content["seeds"]))}; I2T and T2I are means of R@1, 5 and 10, recall is the mean
of both. *Gain*: points over CCA with a smoothed gallery and the same pairs and features, with a 95
% interval (bootstrap over test items). *Unmatched*: "own" are the other Material icons and their
names, "all" adds Phosphor, Remix and Font Awesome. These choices were made on validation icons.
*More layers* were changed after a test figure of photographs had been seen, in which icons had no
part ([how](closed.md#layers-of-the-image-encoder)).

{table([*heads, "I2T gain", "T2I gain"], rows, left=4)}
Measured by icon_features.py (script at commit bd34294) on {machine_of(content)}, first stored at
commits {commits_of(content)} (last layer, more layers): [icon_features.json](icon_features.json).
"""


def _interval(gain: dict[str, float]) -> str:
    value, low, high = (100 * gain[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})" if low or high else "-"


def proteins() -> str:
    return f"""# Proteins: towers trained on few pairs

Per cent, test items, mean ± sample standard deviation over the seeds; a seed determines which
training items are pairs, the initial weights, and the batches. Each figure is from the checkpoint
with the best mean of crop MRR and the first kind of transfer on the validation items.

- *Crop MRR, R@1*: both views are cut to the same central 64 residues, so that neither length nor
  ends reveal a pair; shorter items are left out; mean of both directions.
- *Length-matched*: among the 20 items nearest in length; chance level
  {100 * statistics.mean(1 / k for k in range(1, 21)):.1f}. *Distinct*: only items that share few
  5-mers with an earlier one.
- *Transfer* (class, topology, fold, reaction, EC): a whole structure gets the label of the nearest
  prototype; prototypes are made from training *sequences*. A label without a training item counts
  as a miss.
- *Linear model of residues*: ridge regression of the amino acid on the structure at its position.
  It and the other methods without training were measured by protein_baselines.py (script at commit
  bb1d44c).
- *Commit*: that which first stored the runs; of methods without training those of all their runs.

Conclusions: [proteins.md](../proteins.md#sequences-with-structures).

{chr(10).join(map(_protein_set, PROTEIN_SETS))}"""


def _protein_set(name: str) -> str:
    title, description, transfers = PROTEIN_SETS[name]
    content, first = read(name), next(iter(transfers))
    shown = {HEADLINE: "mean of MRR and transfer", "crop_mrr": "crop MRR", first: transfers[first]}
    parts = [f"## {title}\n\n{description}\n"]
    for fraction, words in FRACTIONS.items():
        parts.append(f"**{words} of the pairs**\n\n{_proteins(content, transfers, fraction)}")
    for fraction, words in FRACTIONS.items():
        some = {n: runs for n, runs in content["runs"].items() if n.endswith(f"/{fraction}")}
        if some.get(f"gentle_clip/{fraction}"):
            part = {**content, "runs": some}
            minus = _minus(part, f"gentle_clip/{fraction}", [*shown], shown.values())
            parts.append(f"**{words} of the pairs.** {minus}")
    return "\n".join([*parts, _how(content, name)])


def _proteins(content: dict, transfers: dict[str, str], fraction: str) -> str:
    metrics, rows = RETRIEVAL | transfers, []
    untrained = content["untrained"].get(fraction, {}).values()
    for name, label in content["labels"].items():
        tests = [run["test"] for run in _runs(content, f"{name}/{fraction}")]
        tests = tests or [made[name]["test"] for made in untrained if name in made]
        if tests:
            cells = [percent(one[m] for one in tests if m in one) or "-" for m in metrics]
            key = f"{name}/{fraction}"
            made = commits_of(content, key if key in content["runs"] else "untrained")
            rows.append([label, str(len(tests)), *cells, made])
    return table(["", "seeds", *metrics.values(), "commit"], rows)

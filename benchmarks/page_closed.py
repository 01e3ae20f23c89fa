"""Page of the closed experiments, whose scripts left the tree."""

import statistics
from collections.abc import Mapping, Sequence

from published import LEFT, means, read, spread, table

Figures = Mapping[str, Sequence[float]]  # by seed
VIEWS = {"features": "one view", "mirror": "and mirrored", "turns": "four turns"}
METHODS = {"cca": "CCA", "gentle_transport": "gentle transport"}
SCRIPTS = (
    "negative.py and further_ideas.py, last_stage.py, layers.py, views.py, oracles.py, "
    "sdd_batch_size.py, losses_forms.py (other implementations of the losses), refit.py (a check "
    "that refitted the closed forms), and those that [icons](icons.md) and [speed](speed.md) name; "
    f"at commit `{LEFT}` frozen.py and protein_names.py (comparisons on frozen features), "
    "asking.py, zero_pairs.py, class_names.py and the parts of review.py and large_sets.py that "
    "needed those comparisons"
)


def page() -> str:
    content = read("closed")
    transport, last = content["gentle_transport"], content["last_stage"]
    ideas, unmatched = transport["ideas"], f"{transport['unmatched']:,}"
    whole = next(iter(ideas))
    balanced = [name for name in ideas if name.startswith("gallery balanced")]
    begun = {name: name.partition(", then")[0] for name in last["ideas"] if ", then" in name}
    others = dict.fromkeys([name for name in ideas if name != whole], whole)
    sdd = [[str(n), *(f"{one:.4g}" for one in rest)] for n, *rest in content["sdd_batch_size"]]
    plain = [name for name in ideas if name not in balanced]
    return f"""# Closed experiments

These questions are settled, and the scripts that answered them were removed. At commit
`{content["commit"]}` they are in benchmarks/: {SCRIPTS}. The options and features that they
measured remain. Unless a section says otherwise: aerial images (RSICD and UCM-Captions), validation
items, figures are zero-shot / image to text / text to image in per cent, means over seeds 10 to 14;
only aerial images have classes there. Everything was measured on {content["machine"]["cpus"]} x
{content["machine"]["processor"]}; [closed.json](closed.json) has the figures of every seed.

## Gentle transport: ablations, and ideas that did not help

{unmatched} unmatched items of each modality. *Gain*: difference of the sum of the three
figures from the first line, mean ± sample standard deviation over the same seeds. Empty cells were
not run.

{_ideas(plain, ideas, others)}
Balancing the gallery at test time needs all queries: it adds the potentials of the entropic plan
between queries and gallery to each cosine. It is impossible for a single query.

{_ideas(balanced, ideas, others)}
**Better fixed points.** The rounds converge where plan and maps agree, and other starts converge
elsewhere. A prototype searched some 900 fixed points by annealing, populations, seeded assignment,
gradient ascent and noise. Many have a higher objective than rounds that start from the maps of all
pairs, but are no more accurate. No score without partners (objective, density, cycles, HSIC, the
rank of held-out pairs) separated good from bad ones. Gains of +4.9 and +2.8 in the sum with two
seeds were +1.1 and -3.4 with three others: a gain below +4 needs five seeds. Only information in
the start improves the result: class names, more pairs.

## Training the last stage of the image encoder did not help

The last stage of EfficientNet-Lite0, its head and a map for each modality are trained by the CLIP
loss, 60 steps of Adam on up to 128 pairs, starting from a closed form of the same pairs. *Gain*:
difference of the sum from that start.

{_ideas([*last["ideas"]], last["ideas"], begun)}
## Layers of the image encoder

CCA of the pairs, seeds 10 to 12. Features are spatial means of the head of EfficientNet-Lite0,
means and spatial deviations of stages (named by their number of channels), and means of the
channels after the last depthwise filters of a stage. In brackets: gain over the head in the mean of
the figures, with its standard error over the seeds. *Thumbnails*: the same for images shrunk to 32
pixels and enlarged again. *Rich*: the features of `encode --layers=rich`.

{_layers(content["layers"])}
## Several views of each image

In brackets: gain over one view in the mean of the figures, with its standard error over the seeds;
with all pairs there is one fit. `encode --views=mirror` takes twice as long, `--views=turns` four
times.

{_views(content["views"])}
## Oracles: the potential of a better plan

Seeds 10 and 11; [the page of evidence](../evidence.md) has the table.

## SDD against the batch size

Two standard normal sets in 16 dimensions, equal or one sigma apart in every dimension. "Gradient"
is the norm of the gradient under a common shift of all rows of Y.
[Conclusions](../method.md#effect-of-the-batch-size).

{table("N | official: equal | apart | gradient | stable: equal | apart | gradient", sdd)}"""


def _ideas(names: Sequence[str], ideas: Mapping[str, Mapping[str, Figures]], begun: dict) -> str:
    numbers = sorted({pairs for found in ideas.values() for pairs in found}, key=int)
    rows = []
    for name in names:
        cells = [name]
        for pairs in numbers:
            found = ideas[name].get(pairs, {})
            start = ideas[begun[name]].get(pairs, {}) if name in begun else {}
            gains = [sum(found[seed]) - sum(start[seed]) for seed in found if seed in start]
            cells += [means(found.values()), spread(gains, sign="+")]
        rows.append(cells)
    heads = [head for pairs in numbers for head in (f"{int(pairs):,} pairs", "gain")]
    return table(["idea", *heads], rows)


def _above(found: Figures, start: Figures) -> str:
    """Return means, with the gain of their mean over the start."""
    gains = [statistics.mean(found[s]) - statistics.mean(start[s]) for s in found]
    told = means(found.values())
    if not any(gains):
        return told
    error = f" ± {statistics.stdev(gains) / len(gains) ** 0.5:.1f}" if len(gains) > 1 else ""
    return f"{told} ({statistics.mean(gains):+.1f}{error})"


def _layers(content: dict) -> str:
    kinds, rows = ("as they are", "thumbnails"), []
    for choice, features in content["features"].items():
        cells = [
            _above(content[kind][field][choice], content[kind][field]["head"])
            for field in content["pairs"]
            for kind in kinds
        ]
        rows.append([choice, f"{features:,}", *cells])
    heads = [
        f"{field}, {pairs:,} pairs" + f", {kind}" * (kind != kinds[0])
        for field, pairs in content["pairs"].items()
        for kind in kinds
    ]
    return table(["layers", "features", *heads], rows)


def _views(content: dict) -> str:
    rows = []
    for field, methods in content.items():
        numbers = sorted({pairs for found in methods.values() for pairs in found}, key=int)
        for pairs in numbers:
            for method, label in METHODS.items():
                if found := methods[method].get(pairs):
                    cells = [_above(found[views], found["features"]) for views in VIEWS]
                    rows.append([f"{field}, {label}, {int(pairs):,} pairs", *cells])
    return table(["", *VIEWS.values()], rows)

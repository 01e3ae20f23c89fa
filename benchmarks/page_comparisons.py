"""Pages of the comparisons on frozen features: methods by number of pairs."""

import statistics
from typing import Any

from published import LEFT, commits_of, groups, machine_of, percent, read, spread, table
from readme_tables import MAIN, named

METRICS = {"zero_shot": "zero-shot", "i2t": "{x} to {y}", "t2i": "{y} to {x}"}
OTHER_COUNTS = {"i2t_strict": "{x} to {y}, strict", "t2i_equal": "{y} to {x}, equal"}
HOW_TO_READ = """Held-out items, per cent: mean ± sample standard deviation over the seeds; a seed
decides which items are the matched pairs. *Zero-shot*: accuracy, mean over the test sets.
*{x} to {y}*, *{y} to {x}*: recall, mean of R@1, R@5 and R@10. *Smoothed gallery*: see the
[glossary](../reference.md#glossary). The *reference* is the pairs-only method with the
highest mean of the three figures. The last column is the difference from it in points, in the same
order; ▲ and ▼ mark differences whose 95 % interval (paired bootstrap over the test items) does not
include zero. The JSON has the intervals.
"""
NAMES = """Only the rows that say so use the names of the image encoder's classes; CCA, the other
closed forms and heads did not get them. {control}
"""
CONTROL = """The first row is the control: these names alone, without a pair and without transport
([page](diagnose.md#alignment-without-a-single-pair))."""
CONTROL_ELSEWHERE = """The control, these names without a pair and without transport, was measured
with the usual features only: [aerial images](remote_sensing_frozen.md),
[photographs](vision_language_frozen.md)."""
STRICT = """*Strict*: the text of another item is a miss even if it is identical to one of the
item's own. *Equal*: any text identical to one of the item's own is a hit. The JSON also has each
test set.
"""
FIELDS = {
    "remote_sensing": ("image", "text"),
    "vision_language": ("image", "text"),
    "protein_names": ("sequence", "name"),
}
VARIANTS = {
    "remote_sensing_heads": "Aerial images: trained heads",
    "remote_sensing_turns": "Aerial images: features of more layers, averaged over four turns",
    "remote_sensing_disjoint": "Aerial images: no unmatched item has its partner",
    "remote_sensing_shifted": "Aerial images: the unmatched sets show different things",
    "vision_language_heads": "Photographs: trained heads",
    "vision_language_mirror": "Photographs: features of more layers, averaged with mirror images",
    "vision_language_disjoint": "Photographs: no unmatched item has its partner",
}
CONTROLS = {  # pages that begin with class names alone: the name of the field in readme_tables.py
    "remote_sensing_frozen": "aerial images",
    "vision_language_frozen": "photographs",
}
SETS = {"frozen": "shuffled", "disjoint": "disjoint", "shifted": "shifted"}  # by the end of a page
OF_SETS = {
    "remote_sensing": "aerial images and captions",
    "vision_language": "photographs and captions",
    "protein_names": "protein sequences and names",
}
WITHOUT_PARTNERS = """## Unmatched sets without partners

Gains over CCA of the same pairs and seed, in points of the mean of the three figures, with the
sample standard deviation over the seeds. *Shuffled*: each unmatched item has its partner in the
other set. *Disjoint*: half as many, none of which has its partner. *Shifted*: only aerial images
have two sources.

"""


def frozen(field: str, title: str) -> str:
    """Return the page of one field: every method at every number of pairs."""
    x, y = FIELDS[field]
    return f"""# {title}

{_setting(f"{field}_frozen")}

{HOW_TO_READ.format(x=x, y=y)}{NAMES.format(control=CONTROL)}{STRICT}
{comparison(f"{field}_frozen", OTHER_COUNTS)}
Trained heads, other features and other unmatched sets: [variants](variants.md).
"""


def protein_names() -> str:
    x, y = FIELDS["protein_names"]
    return f"""# Protein sequences and their names: aligners on k-mer counts

{_setting("protein_names_frozen")} Sequences are represented by counts of amino acids and k-mers,
names by MiniLM embeddings.

{HOW_TO_READ.format(x=x, y=y)}
## Unmatched sets contain each other's partners

{comparison("protein_names_frozen")}
## No unmatched item has its partner

{_setting("protein_names_disjoint")}

{comparison("protein_names_disjoint")}"""


def variants() -> str:
    parts = [
        f"## {title}\n\n{_setting(name)}\n\n{comparison(name)}" for name, title in VARIANTS.items()
    ]
    x, y = FIELDS["remote_sensing"]
    return f"""# Variants of the comparisons on frozen features

The same fields as [aerial images](remote_sensing_frozen.md) and
[photographs](vision_language_frozen.md), with trained heads, features of more layers and views, or
other unmatched sets. *Disjoint*: x from one half of the items and y from the other half, so that no
unmatched item has its partner. *Shifted*: unmatched x from one data set and unmatched y from
another. The features of more layers were changed after a test figure of photographs had been seen
([how](closed.md#layers-of-the-image-encoder)).

{HOW_TO_READ.format(x=x, y=y)}{NAMES.format(control=CONTROL_ELSEWHERE)}
""" + "\n".join([*parts, WITHOUT_PARTNERS + without_partners()])


def without_partners() -> str:
    """Return the table of gains from three kinds of unmatched sets."""
    methods = {"transported_cca": "transported CCA", "gentle_transport": "gentle transport"}
    rows = []
    for field, label in OF_SETS.items():
        kinds = [read(f"{field}_{end}").get("runs", []) for end in SETS]
        for pairs in sorted({run["pairs"] for run in kinds[1]}):
            cells = [_gain(runs, name, pairs) for name in methods for runs in kinds]
            rows.append([f"{label}, {pairs:,} pairs", *cells])
    heads = [f"{label}, {kind}" for label in methods.values() for kind in SETS.values()]
    return table(["", *heads], rows)


def _gain(runs: list[dict], method: str, pairs: int) -> str:
    """Return the gain over CCA with the same seeds, "" where it was not measured."""
    ours, theirs = (
        {
            run["seed"]: statistics.mean(run["metrics"][name] for name in MAIN)
            for run in runs
            if (run["method"], run["pairs"]) == (name, pairs)
        }
        for name in (method, "cca")
    )
    return spread([100 * (ours[s] - theirs[s]) for s in ours if s in theirs], sign="+")


def _setting(name: str) -> str:
    content = read(name)
    return (
        f"{content['num_items']:,} training items, {content['unmatched']} unmatched sets. Measured "
        f"by `{content['command']}` (script at commit {LEFT}) on {machine_of(content)} "
        f"(jax {content['machine']['jax']}); figures first stored at commits "
        f"{commits_of(content)}. Every run: [{name}.json]({name}.json)."
    )


def comparison(name: str, more: dict[str, str] | None = None) -> str:
    """Return the table of methods at each number of pairs."""
    content, metrics = read(name), METRICS | (more or {})
    x, y = content.get("modalities", ("image", "text"))
    labels = {method["name"]: method for method in content["methods"]}
    found = groups(content["differences"], "pairs", "method")
    heads = ["pairs", "method", "unmatched items", "seeds"]
    heads += [head.format(x=x, y=y) for head in metrics.values()]
    rows = [_control(CONTROLS[name], len(metrics))] if name in CONTROLS else []
    by_pairs = groups(content["runs"], "pairs")
    for (pairs,), here in sorted(by_pairs.items()):
        for method in labels:
            runs = [run["metrics"] for run in here if run["method"] == method]
            if not runs:
                continue
            cells = [
                f"{pairs:,}",
                label(labels[method]),
                _unmatched(labels[method]["unmatched"], pairs < content["num_items"]),
            ]
            cells += [str(len(runs)), *(_figure(runs, metric) for metric in metrics)]
            rows.append([*cells, _differences(found.get((pairs, method), []))])
    return table([*heads, "difference from the reference"], rows, left=3)


def _control(field: str, num_metrics: int) -> list[str]:
    """Return the row of class names alone, which were measured in the main figures only."""
    found = [spread(values) for values in zip(*(run["before"][0] for run in named(field)))]
    empty = [""] * (num_metrics - len(found))
    words = "names of the encoder's classes, no transport"
    return ["none", words, "used", str(len(named(field))), *found, *empty, ""]


def label(method: dict[str, Any]) -> str:
    return method["label"].replace(", drawn", ", smoothed gallery")


def _unmatched(used: bool, left: bool) -> str:
    return ("used" if used else "not used") if left else "none left"


def _figure(runs: list[dict], metric: str) -> str:
    return percent([run[metric] for run in runs if metric in run])


def _differences(rows: list[dict]) -> str:
    """Return the differences of one method in its main figures, or "reference"."""
    cells = []
    for row in rows:
        mark = "▲ " if row["low"] > 0 else "▼ " if row["high"] < 0 else ""
        cells.append(f"{mark}{100 * row['value']:+.1f}")
    return " / ".join(cells) or "reference"

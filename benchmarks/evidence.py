"""Does unmatched data help? One page and one figure, from docs/results/*.json alone.

    python benchmarks/evidence.py

Writes docs/evidence.md and docs/figures/evidence.svg. Nothing is measured here: the pages that
the figures come from name seeds, machines and commands.
"""

import argparse
import io
import pathlib
import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from published import RESULTS, ROOT, compact_svg, means, read, spread, table
from readme_tables import MAIN

from gentle_clip_jax.pages.colours import light, look

FIELDS = {
    "remote_sensing": ("aerial images and captions", (12, 30, 104, 312, 1041)),
    "vision_language": ("photographs and captions", (12, 60, 180, 600)),
    "protein_names": ("protein sequences and names", (30, 100, 300, 1000)),
}
MORE = {  # pages of other features: what these are
    "turns": "Features of more layers, in the mean over four turns of each image",
    "mirror": "Features of more layers, in the mean over each image and its mirror image",
}


class Field(NamedTuple):
    """A row of the tables of towers: its file, its words, what its trainings are named there."""

    results: str
    label: str
    share: str = ""
    others: Mapping[str, str] = {}


# Icons begin at random, whatever is trained.
IMAGES = (
    Field("remote_sensing", "aerial images, 10 %"),
    Field("vision_language", "photographs, a third"),
    Field(
        "icons",
        "icons, 10 %",
        others=dict.fromkeys(("clip", "clip_random", "clip_transported"), "clip_only"),
    ),
)
PROTEINS = [
    Field(results, f"{label}, {cent} % of the pairs", share)
    for results, label in (
        ("protein", "domains and structures"),
        ("protein_scope", "domains and DSSP strings"),
        ("protein_enzymes", "enzymes and reactions"),
    )
    for share, cent in (("/0.01", 1), ("/0.1", 10))
]
RIVALS = {
    "CLIP, random heads": "clip_random",
    "CLIP": "clip",
    "CLIP, same start": "clip_transported",
    "CLIP + SSL on the pairs, same start": "clip_ssl_pairs",
}
RIVALS_OF_PROTEINS = {
    "CLIP": "clip",
    "CLIP + residues": "clip_residues",
    "CLIP + residues, same start": "clip_transported",
    "CLIP + residues + SSL on the pairs, same start": "clip_ssl_pairs",
}
LEFT_OUT = {f"without {term.upper()}": f"without_{term}" for term in ("ssl", "mmd", "sdd")}
OF_PAPER = {"the paper's forms and weights": "official"}
# Methods of the figure: name, label, whether unmatched items take part, and which of `MORE`.
CURVES = (
    ("cca", "CCA", False, ""),
    ("relative", "relative", False, ""),
    ("cca_relative", "CCA + relative", False, ""),
    ("clip", "CLIP heads", False, ""),
    ("gentle_clip", "Gentle-CLIP heads", True, ""),
    ("gentle_transport", "gentle transport", True, ""),
    ("gentle_relative", "gentle + relative", True, ""),
    ("named_transport", "with names", True, ""),
    ("cca", "CCA, rich, turned", False, "turns"),
    ("cca+drawn", "CCA, rich, turned, drawn", True, "turns"),
    ("gentle_transport+drawn", "gentle transport, rich, turned, drawn", True, "turns"),
    ("cca", "CCA, rich, mirrored", False, "mirror"),
    ("cca+drawn", "CCA, rich, mirrored, drawn", True, "mirror"),
    ("named_transport+drawn", "with names, rich, mirrored, drawn", True, "mirror"),
)
_PAGE_HEAD = """# Does unmatched data help?

`python benchmarks/evidence.py` makes this page from the kept results; the pages that they come from
name seeds, machines and commands. Every gain is over the same pairs with the same seed: mean and
sample standard deviation over the seeds, in points. Settings were chosen on validation items.

![Share of the gap closed against the number of pairs](figures/evidence.svg)

Dashed: matched pairs alone. Full: with unmatched items. Thick: features of more layers, and of more
than one view of each image. 0 is CCA of the pairs, 100 the best that all pairs give on
plain features; the figure is the mean of zero-shot, image to text, text to image.
"""
_SETS = """## Unmatched sets without partners

Gains over CCA of the same pairs, as above. *Shuffled*: each unmatched item has its partner among
the others. *Disjoint*: x of one half of the items and y of the other, so that none has, and there
are half as many. *Shifted*: x of one data set and y of another, of which aerial images alone have
two.
"""
_TOWERS = """## Towers that are trained: images

Mean of R@k / zero-shot. CLIP and CLIP + SSL see the same pairs and nothing that is unmatched. CLIP
begins at CCA of the pairs, but on icons, where all begin at random. The same start is that of
Gentle-CLIP, which the transported map of all items gives to towers that were trained before.
"""
_PROTEINS = """## Towers that are trained: proteins

MRR of crops / class carried over. Gentle-CLIP has a term of residues; so have its rivals, but for
the first. Where a class is not carried over, a number of the EC class is.
"""
_LEFT_OUT = """One term left out, and all else as it is, unmatched items too:
"""
_OF_PAPER = """The last column is beside Gentle-CLIP as the paper's public demo has it.
"""
_ORACLES = """## Oracles: what a better plan could bring

What nobody knows: the plan that the maps of all pairs make, and more true partners.
"""
_CLAIMS = """## What of the paper's claims held

- **Unmatched items help where pairs are few.** Held on frozen features, by transport and by names
  of classes; the tables above have the sizes. The gain shrinks as pairs come. Hardly held on
  protein sequences and names: what transport gains over CCA there, the nearest pairs (relative)
  gain too, and what it adds to them is within the spread.
- **Gentle-CLIP is far above CLIP.** Held beside CLIP with random heads, by 19.3 ± 0.5 points on
  photographs and 4.2 ± 0.6 on aerial images in retrieval; but CLIP that begins at CCA of the same
  pairs is level with it on photographs and 1.2 ± 0.5 below on aerial images.
- **They help by MMD and SDD.** Not held in retrieval: in none of six fields do trained towers lose
  more than 0.2 points without either. In classes icons alone lose, 2.7 ± 1.8 and 2.7 ± 1.1 points
  of three seeds. Gentle-CLIP heads are below CCA of the same pairs at every number of pairs. The
  forms and weights of the paper's demo lose to ours on icons and aerial images, by 2.6 ± 0.6 and
  1.6 ± 0.1 in retrieval, and are no better than CLIP there.
- **They help by SSL.** On proteins with few pairs SSL keeps the classes and costs retrieval
  ([page](results/protein.md)). It needs no unmatched item for that: on icons three quarters of the
  gain over CLIP in retrieval are SSL's on the pairs alone, on aerial images two thirds of the gain
  in both figures are its and the transported start's, and what is left is within the spread.
- **Proteins.** Beside CLIP with the same term of residues, start and SSL, which sees the pairs
  alone, unmatched items bring less than a point wherever the spread lets one say so: at most
  0.9 ± 0.6 of classes, and 0.2 of retrieval.
"""
SETS = {"": "shuffled", "disjoint": "disjoint", "shifted": "shifted"}  # by the kind of page
OF_PAIRS = ("cca", "ridge", "procrustes", "relative", "cca_relative", "clip")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    draw(ROOT / "docs" / "figures" / "evidence.svg")
    (ROOT / "docs" / "evidence.md").write_text(page())


class Runs:
    """Runs on frozen features of a field: of its page and that of heads, or of one of `MORE`."""

    def __init__(self, field: str, kind: str = ""):
        pages = [f"{field}_{kind}"] if kind else [f"{field}_heads", f"{field}_frozen"]
        pages = [name for name in pages if (RESULTS / f"{name}.json").exists()]
        self.runs = [run for name in pages for run in read(name)["runs"]]
        self.most = max(run["pairs"] for run in read(f"{field}_frozen")["runs"])
        found = {name: self.mean(name, self.most) for name in OF_PAIRS}
        known = {name: value for name, value in found.items() if value is not None}
        self.best_of_all = max(known, key=known.__getitem__, default="not measured")
        self.ceiling = known.get(self.best_of_all)

    @property
    def of_all(self) -> str:
        """What the best method of pairs alone reaches with all pairs."""
        if self.ceiling is None:
            return "(not measured)"
        return f"{self.ceiling:.1f} ({self.best_of_all})"

    def seeds(self, method: str, pairs: int) -> dict[int, float]:
        """Mean of zero-shot, i2t and t2i by seed, in points."""
        return {
            run["seed"]: 100 * statistics.mean(run["metrics"][name] for name in MAIN)
            for run in self.runs
            if (run["method"], run["pairs"]) == (method, pairs)
        }

    def mean(self, method: str, pairs: int) -> float | None:
        found = self.seeds(method, pairs).values()
        return statistics.mean(found) if found else None

    def gain(self, method: str, pairs: int) -> list[float]:
        ours, theirs = self.seeds(method, pairs), self.seeds("cca", pairs)
        return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


def gain(values: Iterable[float]) -> str:
    """Return a mean with its sign and spread; of one seed it says so."""
    values = [*values]
    return spread(values, sign="+") + " (one seed)" * (len(values) == 1)


def gains(plain: Runs, numbers: Iterable[int]) -> str:
    """How far methods are above CCA of the same pairs, seed by seed."""
    shown = [
        (name, label)
        for name, label, _, kind in CURVES[1:]
        if not kind and any(run["method"] == name for run in plain.runs)
    ]
    rows = []
    for pairs in numbers:
        known = {name: plain.mean(name, pairs) or 0.0 for name in OF_PAIRS}
        best = max(known, key=known.__getitem__)
        rows.append(
            [
                f"{pairs:,}",
                spread(plain.seeds("cca", pairs).values()),
                f"{gain(plain.gain(best, pairs))} ({best})" if best != "cca" else "CCA",
                *(gain(plain.gain(name, pairs)) for name, _ in shown),
            ]
        )
    return table(["pairs", "CCA", "best pairs-only method", *(label for _, label in shown)], rows)


def shares(plain: Runs, more: Runs, numbers: Iterable[int]) -> str:
    """Other features and the drawn gallery, and which shares of the gaps they close."""
    methods = {"cca": "CCA", "gentle_transport": "gentle transport"}
    methods |= {"named_transport": "with names"}
    shown = [name + end for name in methods for end in ("", "+drawn")]
    rows = []
    for pairs in numbers:
        start, cells = plain.mean("cca", pairs), []
        for name in shown:
            mean = more.mean(name, pairs)
            if start is None or mean is None:
                cells.append("")
                continue
            closed = [
                "?" if top is None else f"{100 * (mean - start) / (top - start):.0f}"
                for top in (plain.ceiling, more.ceiling)
            ]
            own = spread(more.seeds(name, pairs).values())
            cells.append(f"{own} ({', '.join(closed)})")
        if any(cells):
            rows.append([f"{pairs:,}", *cells])
    heads = [head for label in methods.values() for head in (label, "drawn")]
    return table(["pairs", *heads], rows)


def without_partners() -> str:
    """What methods gain from unmatched sets of three kinds."""
    methods = {"transported_cca": "transported CCA", "gentle_transport": "gentle transport"}
    rows = []
    for field, (label, numbers) in FIELDS.items():
        of_kind = [Runs(field, kind) for kind in SETS]
        for pairs in numbers:
            if of_kind[1].seeds("cca", pairs):
                cells = [gain(runs.gain(name, pairs)) for name in methods for runs in of_kind]
                rows.append([f"{label}, {pairs:,} pairs", *cells])
    heads = [f"{label}, {kind}" for label in methods.values() for kind in SETS.values()]
    return table(["", *heads], rows)


def towers(fields: Iterable[Field], variants: dict[str, str]) -> str:
    """Gentle-CLIP minus other trainings with the same seeds, in two of the metrics."""
    rows = []
    for field in fields:
        runs = read(field.results)["runs"]
        names = [f"{field.others.get(name, name)}{field.share}" for name in variants.values()]
        ours = runs[f"gentle_clip{field.share}"]
        rows.append([field.label, *(_difference(ours, runs.get(name, {})) for name in names)])
    return table(["Gentle-CLIP minus", *variants], rows)


def _difference(ours: dict, theirs: dict) -> str:
    parts = []
    for metric in (
        "mean_recall",
        "zero_shot_accuracy",
        "crop_mrr",
        "class_transfer",
        "ec_transfer",
    ):
        shared = [s for s in ours if s in theirs and metric in ours[s]["test"]]
        gaps = [100 * (ours[s]["test"][metric] - theirs[s]["test"][metric]) for s in shared]
        parts += [gain(gaps)] if gaps else []
    return " / ".join(parts)


def oracles() -> str:
    parts = []
    for config, found in read("closed")["oracles"].items():
        numbers = [*next(iter(found.values()))]
        rows = [
            [name, *(means(of_pairs[number].values()) for number in numbers)]
            for name, of_pairs in found.items()
        ]
        heads = [FIELDS[config][0], *(f"{int(number):,} pairs" for number in numbers)]
        seeds = ", ".join(next(iter(next(iter(found.values())).values())))
        note = f"Validation items, seeds {seeds}: [closed experiments](results/closed.md).\n"
        parts.append(table(heads, rows) + "\n" + note)
    return "\n".join(parts)


def draw(path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "evidence", "svg.fonttype": "none"}
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(FIELDS), figsize=(4 * len(FIELDS), 4.8), sharey=True, layout="constrained"
    )
    for axis, (field, (label, numbers)) in zip(axes, FIELDS.items()):
        runs = {kind: Runs(field, kind) for kind in ("", *MORE)}
        for name, curve, unmatched, kind in CURVES:
            points = []
            for pairs in numbers:
                start, mean = runs[""].mean("cca", pairs), runs[kind].mean(name, pairs)
                if start is not None and mean is not None:
                    points.append((pairs, 100 * (mean - start) / (runs[""].ceiling - start)))
            if points:
                mark, line = look(name), "-" if unmatched else "--"
                axis.plot(
                    *zip(*points),
                    mark.marker + line,
                    label=curve,
                    color=light(mark.hue),
                    linewidth=3.0 if kind else 1.2,
                    markersize=5,
                    markerfacecolor="white" if mark.hollow else light(mark.hue),
                )
        axis.axhline(100, color="0.5", linewidth=0.8)
        axis.set(xscale="log", title=label, xlabel="matched pairs", ylim=(-60, 130))
    axes[0].set_ylabel("share of the gap, CCA of the pairs to all pairs, %")
    found = [axis.get_legend_handles_labels() for axis in axes]
    known = dict(pair for handles, labels in found for pair in zip(labels, handles))
    curves = [label for _, label, _, _ in CURVES if label in known]
    handles = [known[label] for label in curves]
    figure.legend(handles, curves, fontsize=8, loc="outside lower center", ncols=4)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    path.write_text(compact_svg(text.getvalue()))
    pyplot.close(figure)


def page() -> str:
    """Everything, as Markdown."""
    parts = [_PAGE_HEAD]
    for field, (label, numbers) in FIELDS.items():
        plain = Runs(field)
        parts.append(
            f"## {label.capitalize()}\n\nWith all {plain.most:,} pairs the best pairs-only method "
            f"({plain.best_of_all}) has {plain.ceiling:.1f}.\n\n{gains(plain, numbers)}"
        )
        for kind, words in MORE.items():
            more = Runs(field, kind)
            if more.runs:
                parts.append(
                    f"{words}, and smoothed galleries; with all pairs {more.of_all}. In brackets "
                    "the share of the gap from CCA of the pairs on plain features to all pairs, in "
                    "per cent: to the ceiling of plain features, and of these "
                    f"([page](results/variants.md)).\n\n{shares(plain, more, numbers)}"
                )
    parts += [_SETS, without_partners()]
    parts += [_TOWERS, towers(IMAGES, RIVALS), _LEFT_OUT]
    parts += [towers(IMAGES, LEFT_OUT | OF_PAPER), _OF_PAPER]
    parts += [_PROTEINS, towers(PROTEINS, RIVALS_OF_PROTEINS)]
    parts += [_LEFT_OUT, towers(PROTEINS[::2], LEFT_OUT)]
    return "\n".join([*parts, _ORACLES, oracles(), _CLAIMS])


if __name__ == "__main__":
    main()

"""Does unmatched data help? One page and two figures, from docs/results/*.json alone.

    python benchmarks/evidence.py

Writes docs/evidence.md, docs/figures/gains.svg and docs/figures/minutes.svg. Nothing is measured
here: the result pages name seeds, machines and commands.
"""

import argparse
import re
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import page_minutes
from few_pairs import cells as of_cells
from few_pairs.cells import DEFAULT, PAIRS_ONLY, TRANSPORT, Cell, is_clear
from gains_figure import figure
from published import ROOT, percent, read, spread, table
from readme_tables import MAIN, names_alone

FIGURE = "figures/gains.svg"
WIDTH = 120
_TIED = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


class Field(NamedTuple):
    """A field of the benchmark: its name in sentences, and in its table and panel."""

    short: str
    title: str


FIELDS = {
    "photographs": Field("photographs", "Photographs and captions"),
    "aerial_images": Field("aerial images", "Aerial images and captions"),
    "molecules": Field("molecules", "Molecules and descriptions"),
    "offers": Field("offers", "Offers of two shops"),
    "emoji": Field("emoji", "Emoji and names"),
    "icons": Field("icons", "Icons and names"),
    "cells": Field("cells", "Cells, RNA and chromatin"),
    "sentences": Field("sentences", "German and English sentences"),
    "protein_names": Field("names of proteins", "Proteins and names"),
    "protein_structures": Field("structures of proteins", "Proteins and structures"),
}
PROTEINS = {"backbones": "protein", "strings": "protein_scope", "enzymes": "protein_enzymes"}
SHORT: dict[str, str] = dict(
    zip(PAIRS_ONLY, ("CCA", "ridge", "Procrustes", "PLS", "relative representations"))
)
HEADS = {
    "clip": "CLIP heads",
    "siglip": "SigLIP heads",
    "s_clip_heads": "S-CLIP heads",
    "gentle_clip": "Gentle-CLIP heads",
}
_TITLE = """# Does unmatched data help?

On some data, with few pairs. In {above} of {cells} settings (ten fields, 12 to 1,000 pairs) the
default of this package is above the best pairs-only method by more than the 95 % interval of their
difference, by at most {largest}. It is below in {below}: {below_where}. Elsewhere the difference is
not clear. The [glossary](reference.md#glossary) explains the terms.

![Gain of the default over the best pairs-only method by number of pairs]({figure})

*Points of recall by which the default is above the best pairs-only method with the same pairs; bars
are 95 % intervals over random draws of the pairs.*

## Ten fields

Recall on test items, per cent: the mean of R@1, R@5 and R@10 in both directions, with the sample
standard deviation over the draws. [The few-pairs benchmark](results/few_pairs_benchmark.md) has the
protocol and other methods.

- *Best pairs-only*: the best of {pairs_only} by these test figures, which flatters it. *Default*:
  `align` as shipped; held-out pairs decide whether it uses unmatched items, by a rule that was
  settled on other items and draws. *Gain*: default minus best pairs-only; bold if its 95 % interval
  does not include 0. Of {cells} such intervals two or three are wrong by chance.
- The unmatched sets contain each other's partners, shuffled. No method has class names, features of
  more layers or a smoothed gallery. {shared}
- {heads} There is no result with all pairs, so the tables have no ceiling.
- {commits}
"""
_REST = """## Which claims of the paper hold

Towers trained on the same pairs with the same seed; three seeds, five for backbones; *unclear*: the
95 % interval over the seeds includes 0. Images have 128 pixels (icons 32) and training takes 80
steps (icons 1,000), far from the paper's encoders and sizes. The linked pages name the commits of
each variant, which differ.

- **Unmatched items help if pairs are few.** On some of the ten fields, by transport.
- **Gentle-CLIP is far above CLIP.** It is above CLIP with random heads, by {random} points of
  recall on [photographs](results/vision_language.md) and {random_aerial} on
  [aerial images](results/remote_sensing.md). Gentle-CLIP minus CLIP that starts from CCA of the
  same pairs is {start}.
- **MMD and SDD help.** Not in recall: on photographs, aerial images and [icons](results/icons.md)
  Gentle-CLIP minus the same without MMD is {mmd} points, without SDD {sdd}. In zero-shot accuracy
  of icons it is {shot}.
- **SSL helps.** It needs no unmatched items: on icons SSL on the pairs adds {ssl} points of recall
  to CLIP. Gentle-CLIP, with all unmatched items, minus CLIP with the same start and SSL on the
  pairs is {ssl_rest} on photographs, aerial images and icons.
- **The losses of the paper's demo.** Gentle-CLIP with ours minus with theirs is {demo} points on
  icons and {demo_aerial} on aerial images.
- **Proteins.** With a tenth of the pairs, Gentle-CLIP minus CLIP is {backbones} points of MRR on
  [backbones](results/protein.md), {strings} on
  [DSSP strings](results/protein.md#domains-sequence-with-dssp-string) and {enzymes} on
  [enzymes](results/protein.md#enzymes-sequence-with-dssp-string).

## Other features and sets

- **Class names** instead of pairs bring most on photographs: without a pair and without transport
  {names}, after six rounds of transport {rounds} (zero-shot accuracy / image to text / text to
  image): [the rounds cost zero-shot accuracy](results/diagnose.md#alignment-without-a-single-pair).
  Pairs-only methods did not get the names.
- **Features of more layers** help CCA as much as transport. With 1,041 pairs of aerial images the
  mean of these three figures is {rich_cca} by CCA and {rich_transport} by gentle transport, both
  with a [smoothed gallery](results/variants.md). One choice of layers was made after a test figure
  had been seen: [how](results/closed.md#layers-of-the-image-encoder).
- **Sets that contain no partners of each other** help nearly as much, and sets from other sources
  less: [gains](results/variants.md#unmatched-sets-without-partners).
- **A better plan** would help more:
  [oracles](results/closed.md#oracles-the-potential-of-a-better-plan).

Next: [what to expect of your data](is_this_for_me.md).
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    for name, make in FIGURES.items():
        (ROOT / "docs" / name).write_text(make())
    (ROOT / "docs" / "evidence.md").write_text(page())


def page() -> str:
    """Return the page as Markdown."""
    content = read("few_pairs")
    cells = of_cells.by_cell(content["rows"])
    cells = {cell: of for cell, of in cells.items() if cell[0] in FIELDS}
    heads = {
        name: label for name, label in HEADS.items() if any(name in of for of in cells.values())
    }
    head = _TITLE.format(
        figure=FIGURE,
        pairs_only=_listed([*SHORT.values()]),
        shared=_shared(content),
        heads=_heads(heads),
        commits=_commits(content["rows"], heads),
        **_counted(cells),
    )
    tables = [_field(name, cells, heads) for name in FIELDS]
    rest = _REST.format(**_of_paper(), **_of_others())
    return "\n".join([_wrapped(head), *tables, *_minutes(), _wrapped(rest)])


def _minutes() -> list[str]:
    """Return the section on a person's minutes."""
    words = page_minutes.section(), page_minutes.ASSUMPTIONS
    tables = page_minutes.quarter(), page_minutes.assumptions()
    return [part for text, rows in zip(words, tables) for part in (_wrapped(text), rows)]


def _wrapped(text: str) -> str:
    """Return Markdown with paragraphs and items of lists wrapped anew."""
    blocks = []
    for block in text.strip().split("\n\n"):
        items = re.split(r"\n(?=- )", block)
        indent = "  " if block.startswith("- ") else ""
        lines = [
            textwrap.fill(
                " ".join(item.split()).replace(" ± ", _TIED),
                WIDTH,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for item in items
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks).replace(_TIED, " ± ") + "\n"


def _field(name: str, cells: dict[tuple[str, int], Cell], heads: dict[str, str]) -> str:
    """Return the table of a field, a row for each number of pairs."""
    heads = {
        head: label
        for head, label in heads.items()
        if any(head in cell for (field, _), cell in cells.items() if field == name)
    }
    columns = [FIELDS[name].title, "CCA", "best pairs-only", "gentle transport", "default", "gain"]
    rows = []
    for (field, pairs), cell in cells.items():
        if field == name:
            best, gain = of_cells.best_pairs_only(cell), of_cells.gains(cell)
            shown = spread(gain, sign="+")
            rows.append(
                [
                    f"{pairs:,} pairs, {len(gain)} draws",
                    _figure(cell, "cca"),
                    "CCA" if best == "cca" else f"{_figure(cell, best)} ({SHORT[best]})",
                    _figure(cell, TRANSPORT),
                    _figure(cell, DEFAULT),
                    f"**{shown}**" if is_clear(gain) else shown,
                    *(_figure(cell, head) for head in heads),
                ]
            )
    return table([*columns, *heads.values()], rows)


def _figure(cell: Cell, method: str) -> str:
    values = of_cells.values_of(cell, method)
    return spread(values) + f" ({len(values)})" * (0 < len(values) < len(cell[DEFAULT]))


def _counted(cells: dict[tuple[str, int], Cell]) -> dict[str, Any]:
    """Return how often the default is clearly above and below, where, and its largest gain."""
    above, below = (of_cells.clear(cells, sign) for sign in (1, -1))
    gains = {cell: of_cells.gains(cells[cell]) for cell in above}
    largest = max(above, key=lambda cell: statistics.mean(gains[cell]))
    where = f"{FIELDS[largest[0]].short}, {largest[1]:,} pairs"
    return {
        "cells": len(cells),
        "above": len(above),
        "below": len(below),
        "below_where": _where(below),
        "largest": f"{spread(gains[largest], sign='+')} ({where})",
    }


def _where(cells: Iterable[tuple[str, int]]) -> str:
    numbers: dict[str, list[str]] = {}
    for field, pairs in sorted(cells, key=lambda cell: ([*FIELDS].index(cell[0]), cell[1])):
        numbers.setdefault(field, []).append(f"{pairs:,}")
    parts = [f"{FIELDS[field].short} ({_listed(some)})" for field, some in numbers.items()]
    return ", ".join(parts) or "none"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _shared(content: dict[str, Any]) -> str:
    """Return what one encoder on both sides of offers reaches without a method."""
    found = [
        r for r in content["rows"] if r["method"] == "shared_encoder" and r["field"] == "offers"
    ]
    if not found:
        return ""
    figure = f"{statistics.mean(row['recall'] for row in found):.1f}"
    return (
        f"For offers none is needed: one text encoder for both shops has {figure} without a pair."
    )


def _heads(heads: dict[str, str]) -> str:
    missing = [label for name, label in HEADS.items() if name not in heads]
    parts = []
    if heads:
        parts.append(
            "Heads are small networks on these features; in brackets the draws, where fewer."
        )
    if missing:
        parts.append(f"{_listed(missing)} were not measured here yet.")
    return " ".join(parts)


def _commits(rows: list[dict[str, Any]], heads: dict[str, str]) -> str:
    """Return the sentence that says which commit made which figures."""
    parts = {
        "The default and gentle transport": (DEFAULT, TRANSPORT),
        "pairs-only methods": PAIRS_ONLY,
        "heads": tuple(heads),
    }
    made = []
    for words, methods in parts.items():
        here = [row for row in rows if row["method"] in methods and row["field"] in FIELDS]
        if commits := sorted({row["commit"] for row in here}):
            made.append(f"{words} at {_listed(commits)}")
    note = " (+: with changes that were not committed)" if "+" in "".join(made) else ""
    return f"Commits: {'; '.join(made)}{note}."


def _gap(page: str, theirs: str, metric: str, ours: str = "gentle_clip") -> list[float]:
    """Return `ours` minus `theirs` with the same seeds, in points."""
    runs = read(page)["runs"]
    return [
        100 * (run["test"][metric] - runs[theirs][seed]["test"][metric])
        for seed, run in runs[ours].items()
        if seed in runs[theirs]
    ]


def _stated(*gaps: Sequence[float]) -> str:
    """Return means and spreads, and which of them are not clear."""
    shown = [spread(gap, sign="+") for gap in gaps]
    clear = [is_clear(gap) for gap in gaps]
    if any(clear) or len(gaps) == 1:
        return _listed([one + " (unclear)" * (not sure) for one, sure in zip(shown, clear)])
    return _listed(shown) + (" (both unclear)" if len(gaps) == 2 else " (all unclear)")


def _of_paper() -> dict[str, str]:
    """Return the figures of trained towers."""
    images = ("vision_language", "remote_sensing", "icons")
    recall, shot, mrr = "mean_recall", "zero_shot_accuracy", "crop_mrr"

    def of_images(theirs: str, pages: Sequence[str] = images) -> list[list[float]]:
        return [_gap(page, theirs, recall) for page in pages]

    random, random_aerial = (_stated(gap) for gap in of_images("clip_random", images[:2]))
    demo, demo_aerial = (_stated(gap) for gap in of_images("official", images[:0:-1]))
    made = {
        "random": random,
        "random_aerial": random_aerial,
        "start": _stated(*of_images("clip", images[:2])),
        "mmd": _stated(*of_images("without_mmd")),
        "sdd": _stated(*of_images("without_sdd")),
        "shot": _stated(*(_gap("icons", f"without_{term}", shot) for term in ("mmd", "sdd"))),
        "ssl": _stated(_gap("icons", "clip_only", recall, ours="clip_ssl_pairs")),
        "ssl_rest": _stated(*of_images("clip_ssl_pairs")),
        "demo": demo,
        "demo_aerial": demo_aerial,
    }
    for name, page in PROTEINS.items():
        made[name] = _stated(_gap(page, "clip/0.1", mrr, ours="gentle_clip/0.1"))
    return made


def _of_others() -> dict[str, str]:
    """Return the figures of class names without a pair, and of features of more layers."""
    runs = read("remote_sensing_turns")["runs"]
    rich = {
        method: [
            statistics.mean(run["metrics"][name] for name in MAIN)
            for run in runs
            if (run["method"], run["pairs"]) == (f"{method}+drawn", 1041)
        ]
        for method in ("cca", "gentle_transport")
    }
    return {
        "names": names_alone("photographs"),
        "rounds": names_alone("photographs", "after"),
        "rich_cca": percent(rich["cca"]),
        "rich_transport": percent(rich["gentle_transport"]),
    }


def drawn() -> str:
    """Return the figure as SVG."""
    cells = of_cells.by_cell(read("few_pairs")["rows"])
    return figure(
        {
            field.title: {
                cell[1]: of_cells.gains(of) for cell, of in cells.items() if cell[0] == name
            }
            for name, field in FIELDS.items()
        }
    )


FIGURES = {FIGURE: drawn, page_minutes.FIGURE: page_minutes.drawn}

if __name__ == "__main__":
    main()

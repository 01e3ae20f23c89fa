"""The report of a diagnosis, as a table for a terminal and as one HTML page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gentle_clip_jax.pages import Step, render, write
from gentle_clip_jax.pages.items import Card, Pair
from gentle_clip_jax.report.diagnosis.named import named_diagnosis
from gentle_clip_jax.report.diagnosis.plots import draw

Cards = Mapping[str, Mapping[str, Card]]  # of the sides "x" and "y", by id

_MARKS = {"good": "✓", "warning": "!", "bad": "✗", "unknown": "?"}
_FEW = 300  # pairs: from there on, chosen ones bring no more than others
_DATA = "--x=X --y=Y --pairs=PAIRS"  # as they were given
_STYLES = {"good": "green", "warning": "yellow", "bad": "red", "unknown": "dim"}


def headlines(diagnosis: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict in two sentences: on unmatched data, and on aligning without pairs."""
    verdict = named_diagnosis(diagnosis)["verdict"]
    helps = {
        "likely": "Unmatched data is likely to help",
        "unlikely": "Unmatched data is unlikely to help",
        "unclear": "Whether unmatched data can help is unclear",
    }[verdict["unmatched_data"]]
    return (
        f"{helps}: {verdict['because']}",
        f"Aligning without pairs is {verdict['no_pairs']}: {verdict['no_pairs_because']}",
    )


def suspects(diagnosis: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the suspicious pairs, the strangest first: ids "x" and "y", and "strangeness"."""
    return [one for finding in diagnosis["findings"] for one in _suspects(finding)]


def show_diagnosis(
    diagnosis: Mapping[str, Any], out: str | Path | None = None, cards: Cards = MappingProxyType({})
) -> None:
    """Print the result of `diagnose`, and write it into the folder `out` if one is given.

    cards: what the page shows of items; of the others it shows ids.
    """
    console = Console(markup=False, highlight=False)
    console.print(diagnosis_table(diagnosis))
    for sentence in headlines(diagnosis):
        console.print(sentence, style="bold")
    if out is not None:
        print(write_diagnosis(diagnosis, out, cards))


def diagnosis_table(diagnosis: Mapping[str, Any]) -> Table:
    """Return a rich table of the figures, one per row."""
    diagnosis = named_diagnosis(diagnosis)
    table = Table(title=Text(_counts(diagnosis)), show_lines=True)
    for column in ("", "Figure", "Here, and by chance", "Meaning"):
        table.add_column(column)
    for finding in diagnosis["findings"]:
        mark = Text(_MARKS[finding["level"]], _STYLES[finding["level"]])
        value = Text(finding["value"]).append(f"\n{finding['chance']}", "dim")
        table.add_row(mark, Text(finding["title"]), value, Text(finding["sentence"]))
    return table


def write_diagnosis(diagnosis: Mapping[str, Any], out: str | Path, cards: Cards) -> Path:
    """Write the result of `diagnose` as diagnosis.json and diagnosis.html into the folder `out`.

    Returns the page's path.

    Raises ValueError, in one sentence, if they cannot be written.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} cannot be made a folder ({error.strerror}).") from error
    helps, no_pairs = headlines(diagnosis)
    shown = named_diagnosis(diagnosis)
    page = render(
        "report/templates/diagnosis.html",
        kind="diagnosis",
        name=_counts(shown),
        verdict=helps,
        lead=[no_pairs],
        findings=[_finding(finding, cards) for finding in shown["findings"]],
        drawn=_drawn(shown),
        now=_now(shown),
    )
    write(out / "diagnosis.json", json.dumps(diagnosis, indent=1, allow_nan=False) + "\n")
    write(out / "diagnosis.html", page)
    return out / "diagnosis.html"


def _now(diagnosis: Mapping[str, Any]) -> Iterable[Step]:
    if diagnosis["verdict"]["unmatched_data"] == "likely":
        yield Step(
            "Align. It says on held-out pairs what the unmatched rest brought.",
            f"gentle-clip align {_DATA} --out=aligner",
        )
    else:
        yield Step(
            "Set pairs alone beside methods that use the rest; held-out pairs decide.",
            f"gentle-clip compare {_DATA} --workdir=runs/compare --fast",
        )
    if diagnosis["counts"]["pairs"] < _FEW:
        yield Step(
            "More pairs help whatever the verdict is. Which ones?",
            "gentle-clip ask --x=X --num=30 --out=ask",
        )


def _counts(diagnosis: Mapping[str, Any]) -> str:
    counts = diagnosis["counts"]
    sets = (
        f"{counts[key]['items']:,} items of {name} ({counts[key]['dimensions']:,} dimensions)"
        for key, name in zip(("x", "y"), diagnosis["modalities"])
    )
    return f"{', '.join(sets)}, {counts['pairs']:,} pairs"


def _drawn(diagnosis: Mapping[str, Any]) -> str:
    counts = diagnosis["counts"]
    return (
        f"Measured on {counts['pairs_used']:,} of {counts['pairs']:,} pairs, "
        + " and ".join(
            f"{counts[key]['unmatched_used']:,} of {counts[key]['unmatched']:,} unmatched items "
            f"of {name}"
            for key, name in zip(("x", "y"), diagnosis["modalities"])
        )
        + f", drawn with seed {diagnosis['seed']}; some figures use fewer, see diagnosis.json."
    )


def _finding(finding: Mapping[str, Any], cards: Cards) -> dict[str, Any]:
    """Return a finding in the form that the page's template takes."""
    plots = [
        (picture["title"], draw(f"{finding['name']}-{i}", picture))
        for i, picture in enumerate(finding["pictures"])
    ]
    pairs = [_pair(one, cards) for one in _suspects(finding)]
    return {**finding, "mark": _MARKS[finding["level"]], "plots": plots, "suspects": pairs}


def _suspects(finding: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return finding["numbers"].get("suspects") or ()


def _pair(one: Mapping[str, Any], cards: Cards) -> Pair:
    x, y = (cards.get(side, {}).get(one[side], Card(one[side])) for side in "xy")
    return Pair(x, y, f"{100 * one['strangeness']:.0f}\u202f% of mismatched pairs look better")

"""What `diagnose` found, as a table for a terminal and as one HTML page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gentle_clip_jax.report.document import document, write_document
from gentle_clip_jax.report.named_diagnosis import named_diagnosis
from gentle_clip_jax.report.picture import INK, SERIES, draw, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = {"good": "✓", "warning": "!", "bad": "✗", "unknown": "?"}
_LETTERS = 12  # of a name in a picture; longer ones leave no room for the rest
_FEW = 300  # pairs: from there on, chosen ones bring no more than others
_DATA = "--x=X --y=Y --pairs=PAIRS"  # as they were given
_STYLES = {"good": "green", "warning": "yellow", "bad": "red", "unknown": "dim"}


def headlines(diagnosis: Mapping[str, Any]) -> tuple[str, str]:
    """The verdict in two sentences: on unmatched data, and on doing without pairs."""
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


def show_diagnosis(diagnosis: Mapping[str, Any], out: str | Path | None = None) -> None:
    """Prints what `diagnose` returned, and writes it into the folder `out` if one is given."""
    console = Console(markup=False, highlight=False)
    console.print(diagnosis_table(diagnosis))
    for sentence in headlines(diagnosis):
        console.print(sentence, style="bold")
    if out is not None:
        print(write_diagnosis(diagnosis, out))


def diagnosis_table(diagnosis: Mapping[str, Any]) -> Table:
    """A rich table of the figures, a figure a row."""
    diagnosis = named_diagnosis(diagnosis)
    table = Table(title=Text(_counts(diagnosis)), show_lines=True)
    for column in ("", "Figure", "Here, and by chance", "Meaning"):
        table.add_column(column)
    for finding in diagnosis["findings"]:
        mark = Text(_MARKS[finding["level"]], _STYLES[finding["level"]])
        value = Text(finding["value"]).append(f"\n{finding['chance']}", "dim")
        table.add_row(mark, Text(finding["title"]), value, Text(finding["sentence"]))
    return table


def write_diagnosis(diagnosis: Mapping[str, Any], out: str | Path) -> Path:
    """Writes diagnosis.json, what `diagnose` returned, and diagnosis.html into the folder `out`.

    Returns the page's path.

    Raises ValueError, in one sentence, if they cannot be written.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} cannot be made a folder ({error.strerror}).") from error
    helps, no_pairs = (escape(sentence) for sentence in headlines(diagnosis))
    lead = f'<p class="verdict">{helps}</p><p>{no_pairs}</p>'
    shown = named_diagnosis(diagnosis)
    sections = (_section(finding, shown["modalities"]) for finding in shown["findings"])
    note = f'<p class="note">{escape(_drawn(shown))}</p>'
    page = document("diagnosis", _counts(shown), lead, [*sections, note], _now(shown))
    write_document(out / "diagnosis.json", json.dumps(diagnosis, indent=1, allow_nan=False) + "\n")
    write_document(out / "diagnosis.html", page)
    return out / "diagnosis.html"


def _now(diagnosis: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if diagnosis["verdict"]["unmatched_data"] == "likely":
        yield (
            "Align. It says on held-out pairs what the unmatched rest brought.",
            (f"gentle-clip align {_DATA} --out=aligner"),
        )
    else:
        yield (
            "Set pairs alone beside methods that use the rest; held-out pairs decide.",
            (f"gentle-clip compare {_DATA} --workdir=runs/compare --fast"),
        )
    if diagnosis["counts"]["pairs"] < _FEW:
        yield (
            "More pairs help whatever the verdict is. Which ones?",
            ("gentle-clip ask --x=X --number=30 --out=ask"),
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


def _section(finding: Mapping[str, Any], modalities: Sequence[str]) -> str:
    level, name = finding["level"], finding["name"]
    chance = f"; by chance {finding['chance']}" if finding["chance"] else ""
    pictures = "".join(
        f"<figure><figcaption><b>{escape(picture['title'])}</b></figcaption>"
        f"{_draw(f'{name}-{i}', picture)}</figure>"
        for i, picture in enumerate(finding["pictures"])
    )
    return f"""
<section class="finding {level}"><h2>
<span class="level" role="img" aria-label="{level}">{_MARKS[level]}</span>
{escape(finding["title"])}</h2><p>{escape(finding["sentence"])}</p>
<p class="note">{escape(finding["value"] + chance)}</p>{_suspects(finding, modalities)}
<div class="panels">{pictures}</div></section>"""


def _suspects(finding: Mapping[str, Any], modalities: Sequence[str]) -> str:
    suspects = finding["numbers"].get("suspects")
    if not suspects:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one['x'])}</td><td>{escape(one['y'])}</td>"
        f"<td>{100 * one['strangeness']:.0f}&#8239;%</td></tr>"
        for one in suspects
    )
    heads = (*map(escape, modalities), "mismatched pairs that look better")
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return (
        '<div class="scroll"><table class="keys"><caption class="unseen">Most suspicious pairs'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _draw(key: str, picture: Mapping[str, Any]) -> str:
    paint = {"histogram": _histogram, "bars": _bars, "scatter": _scatter}[picture["kind"]]
    return draw(key, picture["title"], lambda axes: paint(axes, picture))


def _histogram(axes: "Axes", picture: Mapping[str, Any]) -> None:
    axes.stairs(picture["counts"], picture["edges"], fill=True, color=SERIES[0], alpha=0.45)
    for name, value in picture["marks"].items():
        axes.axvline(value, color=SERIES[1], linewidth=2)
        axes.annotate(
            plain(name),
            (value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 1),
            textcoords="offset points",
            color=SERIES[1],
            ha="center",
        )
    axes.set_xlabel(plain(picture["label"]), color=INK)
    axes.set_yticks([])


def _bars(axes: "Axes", picture: Mapping[str, Any]) -> None:
    names = [*picture["values"]]
    axes.barh(range(len(names)), [*picture["values"].values()], color=SERIES[0], height=0.5)
    for name, value in picture["chance"].items():
        axes.plot(value, names.index(name), "|", color=SERIES[1], markersize=28, markeredgewidth=2)
    axes.set_yticks(range(len(names)), [*map(_short, names)])
    axes.set_xlim(0, picture["full"])
    axes.set_ylim(max(len(names), 2) - 0.5, -0.5)
    axes.grid(visible=False)


def _scatter(axes: "Axes", picture: Mapping[str, Any]) -> None:
    for name, color, marker in (("x", SERIES[0], "o"), ("y", SERIES[1], "D")):
        first, second = zip(*picture[name])
        axes.scatter(first, second, s=5, color=color, marker=marker, alpha=0.5, linewidths=0)
        axes.scatter([], [], color=color, marker=marker, label=_short(picture["names"][name]))
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, "borderaxespad": 0}
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, handletextpad=0.2, **above)
    axes.set_xticks([])
    axes.set_yticks([])


def _short(name: str) -> str:
    return plain(name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…")

"""The pages and the picture of a comparison, written from its results.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from gentle_clip_jax.pages import Step, render, write
from gentle_clip_jax.pages.colours import look
from gentle_clip_jax.report.comparison.advice import advice
from gentle_clip_jax.report.comparison.cells import Comparison, gather
from gentle_clip_jax.report.comparison.content import LINES, content
from gentle_clip_jax.report.comparison.figure import comparison_figure, comparison_plots
from gentle_clip_jax.report.comparison.page import comparison_page
from gentle_clip_jax.report.comparison.table import comparison_table
from gentle_clip_jax.runs.read import Modalities
from gentle_clip_jax.storage.records import checked, unchecked

_NOW = (
    Step(
        "Fit the method that is named above to all pairs, and save it.",
        "gentle-clip align --x=X --y=Y --pairs=PAIRS --method=METHOD --out=aligner",
    ),
    Step(
        "Too early to tell? More pairs, well chosen, say more than more methods.",
        "gentle-clip ask --x=X --num=30 --out=ask",
    ),
)


def show_comparison(folder: str | Path, modalities: Modalities | None = None) -> None:
    """Print the table of a comparison, write its pages and picture, and print their paths.

    modalities: the names of an item of x and of y; stored in results.json.
    """
    source = Path(folder) / "results.json"
    if modalities is not None:
        results = checked(_parsed(source, _read(source)) | {"modalities": [*modalities]})
        write(source, json.dumps(results, indent=2, allow_nan=False) + "\n")
    path = write_comparison(folder)
    results = _parsed(source, _read(source))
    comparison = gather(results)
    write(path.with_suffix(".html"), _html(results, comparison, source.name))
    console = Console(markup=False, highlight=False)
    console.print(comparison_table(results))
    for sentence in advice(comparison):
        console.print(sentence.replace("**", ""), style="bold")
    for written in (path, path.with_suffix(".html")):
        console.print(str(written), soft_wrap=True)


def write_comparison(
    folder: str | Path, *, out: str | Path | None = None, stem: str = "comparison"
) -> Path:
    """Write STEM.md and STEM.svg, and into another folder STEM.json, a copy of results.json.

    Args:
      folder: where `gentle-clip compare` left results.json.
      out: another folder, made if need be; by default the files go beside results.json.
      stem: the name of the files without suffix.

    Returns the page's path.

    Raises ValueError, in one sentence, if results.json cannot be read, holds no run, or a file
    cannot be written.
    """
    source = Path(folder) / "results.json"
    text = _read(source)
    out = Path(folder if out is None else out)
    record = source.name if out == source.parent else f"{stem}.json"
    page, picture = _render(source, text, stem, record)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} cannot be made a folder ({error.strerror}).") from error
    if record != source.name:
        write(out / record, text)
    write(out / f"{stem}.svg", picture)
    write(out / f"{stem}.md", page)
    return out / f"{stem}.md"


def _html(results: Mapping[str, Any], comparison: Comparison, record: str) -> str:
    summary = content(results, comparison)
    return render(
        "report/templates/comparison.html",
        kind="comparison",
        name=", ".join(
            (
                f"{results['num_items']:,} items",
                f"{len(comparison.methods)} methods",
                f"{comparison.num_runs} runs",
            )
        ),
        verdict=summary.title,
        lead=[],
        content=summary,
        lines=LINES,
        methods=comparison.methods.items(),
        plots=comparison_plots(comparison),
        look=look,
        record=record,
        now=_NOW,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError(
            f"{path.parent} holds no results.json; give the folder of `gentle-clip compare`."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error}).") from error


def _render(path: Path, text: str, stem: str, record: str) -> tuple[str, str]:
    """Return the page and the picture of the text of results.json."""
    results = _parsed(path, text)
    try:
        comparison = gather(results)
        summary = content(results, comparison)
        page = comparison_page(summary, picture=f"{stem}.svg", record=record)
        return page, comparison_figure(comparison)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _no_page(path, error) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return unchecked(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _no_page(path, error) from error


def _no_page(path: Path, error: object) -> ValueError:
    reason = f"it lacks {error}" if isinstance(error, KeyError) else error
    return ValueError(f"{path} makes no page ({reason}); run `gentle-clip compare` again.")

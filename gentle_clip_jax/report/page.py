"""The report on a run, as one HTML page."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from gentle_clip_jax.pages import Step, render, write
from gentle_clip_jax.report.curves import curves_section
from gentle_clip_jax.report.gallery import gallery_section
from gentle_clip_jax.report.maps import map_section
from gentle_clip_jax.report.overview import results_section, verdict
from gentle_clip_jax.report.settings import settings_section
from gentle_clip_jax.runs.read import Run, read_run
from gentle_clip_jax.storage.progress import working


@working("drawing")
def write_report(workdir: str | Path, compare: Iterable[str | Path] = ()) -> Path:
    """Write workdir/report.html on the run in `workdir`, beside the runs in `compare`.

    What the run has not left yet (an evaluation, embeddings) is named as missing. The file appears
    whole or not at all.

    Returns the report's path.

    Raises ValueError, in one sentence: a folder holds no run, a file in it cannot be read, or the
    report cannot be written.
    """
    run = read_run(workdir)
    runs = _named([run, *(read_run(path) for path in compare)])
    write(run.folder.report, _page(runs))
    return run.folder.report


def _named(runs: list[Run]) -> dict[str, Run]:
    """Return the runs by the shortest unique ends of their paths."""
    paths = [run.folder.path.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise ValueError("A run is to be compared with itself, or twice; name each folder once.")
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, runs))


def _page(runs: dict[str, Run]) -> str:
    name, run = next(iter(runs.items()))
    headline, detail = verdict(run, runs)
    sections = (
        results_section(runs),
        gallery_section(run.embeddings, run.modalities),
        map_section(run.embeddings, run.modalities),
        curves_section(runs),
        settings_section(runs),
    )
    return render(
        "report/templates/report.html",
        kind="report",
        name=name,
        verdict=headline,
        detail=detail,
        sections=sections,
        now=_now(runs),
    )


def _now(runs: dict[str, Run]) -> Iterable[Step]:
    run = next(iter(runs.values()))
    path = shlex.quote(str(run.folder.path))
    folder = f"--workdir={path}"
    if run.evaluation is None:
        yield Step("Measure it on the test items.", f"gentle-clip evaluate {folder}")
    yield Step(
        "Search among the test items in words of your own.",
        f"gentle-clip search --aligner={path} WORDS",
    )
    if len(runs) == 1:
        yield Step(
            "Compare it with another run.",
            f"gentle-clip report {folder} --compare=ANOTHER",
        )

"""The first screen of a report: the verdict in one line, and the runs side by side."""

from markupsafe import Markup

from gentle_clip_jax.pages import render
from gentle_clip_jax.report import results
from gentle_clip_jax.runs.read import Run


def verdict(run: Run, runs: dict[str, Run]) -> tuple[str, str]:
    """Return the headline, and the sentence under it in Markdown."""
    if run.evaluation is None:
        progress = (
            "has logged no step" if run.last_step is None else f"is at step {run.last_step:,}"
        )
        return f"No evaluation yet: the run {progress}.", "Evaluate it, then write this page again."
    metrics = run.evaluation["metrics"]
    headline = "Evaluated"
    if "mean_recall" in metrics:
        mean = metrics["mean_recall"]
        headline = f"Mean recall {100 * mean['value']:.1f}\u202f%"
        headline += "".join(_against(mean, name, other) for name, other in [*runs.items()][1:])
    return f"{headline}.", _detail(run)


def results_section(runs: dict[str, Run]) -> Markup:
    """Return the table of all runs that have been evaluated; nothing if this run has not."""
    evaluations = {n: run.evaluation for n, run in runs.items() if run.evaluation is not None}
    run = next(iter(runs.values()))
    if run.evaluation is None:
        return Markup()
    missing = [n for n, other in runs.items() if other.evaluation is None]
    notes = [
        "Shares in per cent; the small figures are bootstrap 95\u202f% intervals over the items."
    ]
    if len(evaluations) > 1:
        notes.append(
            "The best of a row is bold and underlined; for the median rank that is the lowest."
        )
    if missing:
        notes.append(f"Not evaluated yet: {', '.join(missing)}.")
    if len({(e.get("split"), e.get("num_items")) for e in evaluations.values()}) > 1:
        notes.append("The runs were measured on different items: do not compare them.")
    rows = [(row.label, *row.cells) for row in results.rows(evaluations)]
    return render("report/templates/results.html", notes=notes, names=[*evaluations], rows=rows)


def _against(mean: dict, name: str, other: Run) -> str:
    """Return a clause on the distance from another run, and whether the intervals overlap."""
    metrics = {} if other.evaluation is None else other.evaluation["metrics"]
    if "mean_recall" not in metrics:
        return ""
    theirs = metrics["mean_recall"]
    points = round(100 * (mean["value"] - theirs["value"]), 1)
    apart = mean["low"] > theirs["high"] or mean["high"] < theirs["low"]
    side = "above" if points > 0 else "below"
    distance = f"{abs(points):.1f} points {side}" if points else "level with"
    overlap = "" if apart else " (the 95\u202f% intervals overlap)"
    return f", {distance} {name}{overlap}"


def _detail(run: Run) -> str:
    assert run.evaluation is not None
    metrics, count = run.evaluation["metrics"], run.evaluation.get("num_items")
    items = f"{count:,} items" if count else "items"
    steps = (
        f"{run.evaluation['step']:,} steps of training" if "step" in run.evaluation else "training"
    )
    ways = results.directions(run.modalities)
    sentences = [
        f"from {ways[key]} the right one is among the ten nearest for "
        f"{_share(metrics[f'{key}_r10'])}"
        for key in ("t2i", "i2t")
        if f"{key}_r10" in metrics
    ]
    if sentences and count:
        sentences[-1] += f" (guessing: {min(100, 1000 / count):.1f}\u202f%)"
    if "zero_shot_accuracy" in metrics:
        sentences.append(
            f"zero-shot classification is right for {_share(metrics['zero_shot_accuracy'])}"
        )
    split = run.evaluation.get("split", "test")
    measured = f"Measured after {steps} on {items} of the {split} set"
    return f"{measured}: {'; '.join(sentences)}." if sentences else f"{measured}."


def _share(metric: dict) -> str:
    return f"**{100 * metric['value']:.1f}\u202f%**"

"""The content of a comparison's page: sentences in Markdown, and tables."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gentle_clip_jax.report.comparison.advice import advice
from gentle_clip_jax.report.comparison.cells import Comparison

LINES = "Solid lines use unmatched items, dashed ones the pairs alone; bars are one spread."
_UNMATCHED = {
    "shuffled": "{x} and {y} of the rest, each in an order of its own",
    "disjoint": "the {x} of one half of the rest and the {y} of the other half, so that no "
    "unmatched item has its partner",
    "shifted": "the {x} of the rest of one data set and the {y} of the rest of the others, so that "
    "the two differ in what they show",
}


class Method(NamedTuple):
    """A cell that names a method."""

    name: str
    label: str


class Table(NamedTuple):
    """A table under its title, with a sentence on how to read it, which may be empty.

    Cells are text, where two asterisks stand around the best; the first `words` are no figures.
    """

    title: str
    head: list[str]
    rows: list[list[str | Method]]
    words: int = 2
    note: str = ""


class Content(NamedTuple):
    """All of a page, in its order; `sets` has a table for each test set."""

    title: str
    introduction: list[str]
    advice: list[str]
    rule: str
    tables: list[Table]
    sets: list[Table]


def content(results: Mapping[str, Any], comparison: Comparison) -> Content:
    """Return the page's content from results.json.

    Raises ValueError if no run is finished, KeyError for a key that is missing.
    """
    if not comparison.main:
        raise ValueError("no run is finished yet")
    return Content(
        title=results["title"],
        introduction=_introduction(results, comparison),
        advice=[escaped(sentence) for sentence in advice(comparison)],
        rule=_rule(comparison),
        tables=[
            *_main_tables(comparison),
            *_differences(results, comparison),
            *_variants(comparison),
        ],
        sets=_sets(comparison),
    )


def escaped(text: str) -> str:
    """Return a text with characters escaped that Markdown would take for HTML or a cell's end."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _rule(comparison: Comparison) -> str:
    rule = (
        "Of the methods with unmatched items and of those with pairs alone, the one with the "
        "highest mean of the main metrics is named. They are picked by these very figures, which "
        "flatters them a little."
    )
    if comparison.verdicts:
        return (
            f"{rule} The two are compared pair by pair, over all seeds that held the pair out; a "
            "method is named in bold only where the 99 % interval of the difference leaves out 0."
        )
    return f"{rule} The spread is the larger standard deviation of the two."


def _introduction(results: Mapping[str, Any], comparison: Comparison) -> list[str]:
    machine = dict(results["machine"])
    host = f"{machine.pop('cpus')} x {machine.pop('processor')}"
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    kind, num_seeds = results["unmatched"], len(comparison.seeds)
    seeds = "one seed" if num_seeds == 1 else f"{num_seeds} seeds"
    x, y = map(escaped, comparison.modalities)
    unmatched = _UNMATCHED.get(kind, escaped(kind)).format(x=x, y=y)
    decides = "which items are the pairs"
    if comparison.verdicts:
        decides = "which third of your pairs is held out, and which others are given"
    lines = [
        f"Of {results['num_items']:,} items some are given as matched pairs of {x} and {y}. "
        f"Unmatched are {unmatched}; and items that have no partner, if any.",
        f"Held-out items, in per cent: mean and sample standard deviation over {seeds}; a seed "
        f"decides {decides}. {_meanings(comparison)} Best in bold.",
        f"Measured by `{results['command']}` on {escaped(host)} ({escaped(versions)}).",
    ]
    if comparison.num_missing:
        total = comparison.num_runs + comparison.num_missing
        lines.append(
            f"**{comparison.num_missing} of {total} runs are missing**: their cells are empty, and "
            "† marks a mean over fewer seeds."
        )
    return lines


def _meanings(comparison: Comparison) -> str:
    ways = [f"*{escaped(comparison.label(m))}*" for m in comparison.main if m != "zero_shot"]
    meanings = []
    if "zero_shot" in comparison.main:
        meanings.append("*Zero-shot*: accuracy, mean over the test sets.")
    if ways:
        meanings.append(f"{' and '.join(ways)}: mean of R@1, R@5 and R@10.")
    return " ".join(meanings)


def _main_tables(comparison: Comparison) -> Iterable[Table]:
    for pairs, label in comparison.pairs.items():
        head = ["", "unmatched items", *map(comparison.label, comparison.main), "seconds a run"]
        rows = []
        for name, title in comparison.methods.items():
            figures = [_cell(comparison, name, pairs, metric) for metric in comparison.main]
            used = "yes" if name in comparison.unmatched else "no"
            seconds = comparison.seconds.get((name, pairs))
            spent = "" if seconds is None else f"{seconds:.1f}"
            rows.append([Method(name, title), used, *figures, spent])
        yield Table(label, head, rows)


def _differences(results: Mapping[str, Any], comparison: Comparison) -> Iterable[Table]:
    rows: dict[tuple[int, str, str], dict[str, str]] = {}
    for one in results["differences"]:
        value, low, high = (f"{100 * one[key]:+z.1f}" for key in ("value", "low", "high"))
        mark = "▲ " if one["low"] > 0 else "▼ " if one["high"] < 0 else ""
        row = rows.setdefault((one["pairs"], one["method"], one["against"]), {})
        row[one["metric"]] = f"{mark}{value} ({low} to {high})"
    if not rows:
        return
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    metrics.sort(key=comparison.metrics.index)
    body = [
        [f"{pairs:,}", *(Method(name, comparison.methods[name]) for name in names)]
        + [row.get(metric, "") for metric in metrics]
        for (pairs, *names), row in sorted(rows.items(), key=lambda item: item[0][0])
    ]
    yield Table(
        "Against the best method with pairs alone",
        ["pairs", "", "minus", *map(comparison.label, metrics)],
        body,
        3,
        "Points, with 95 % intervals of a paired bootstrap; ▲ the interval is above 0, ▼ below 0.",
    )


def _variants(comparison: Comparison) -> Iterable[Table]:
    metrics = [m for m in comparison.metrics if m not in comparison.main and "/" not in m]
    if metrics:
        x, y = map(escaped, comparison.modalities)
        note = (
            f"Strict: the {y} of another item is a miss even if it reads like one of the item's "
            f"own. Equal: the {x} of an item is a hit also for any {y} that reads like one of its "
            "own."
        )
        if "label_transfer" in metrics:
            note = (
                f"One minus FOSCTTM: how many {y} are no closer to a {x} than its own, and the "
                f"other way round; by chance 50. Label transfer: how many {y} get their label by "
                f"vote of the five nearest {x}."
            )
        yield _by_pairs(comparison, "Other ways to count", metrics, note)


def _sets(comparison: Comparison) -> list[Table]:
    of_set: dict[str, list[str]] = {}
    for metric in comparison.metrics:
        of_set.setdefault(metric.partition("/")[2], []).append(metric)
    return [_by_pairs(comparison, name, metrics) for name, metrics in of_set.items() if name]


def _by_pairs(comparison: Comparison, title: str, metrics: list[str], note: str = "") -> Table:
    """Return a table of methods by numbers of pairs, without methods that have no figure."""
    rows = []
    for pairs in comparison.pairs:
        for name, label in comparison.methods.items():
            figures = [_cell(comparison, name, pairs, metric) for metric in metrics]
            if any(figures):
                rows.append([f"{pairs:,}", Method(name, label), *figures])
    return Table(title, ["pairs", "", *map(comparison.label, metrics)], rows, note=note)


def _cell(comparison: Comparison, name: str, pairs: int, metric: str) -> str:
    cell = comparison.cells.get((name, pairs, metric))
    if cell is None:
        return ""
    most = max(other.num_seeds for other in comparison.row(pairs, metric).values())
    few = " †" if cell.num_seeds < most else ""
    best = name in comparison.best(pairs, metric)
    return f"**{cell.text}**{few}" if best else f"{cell.text}{few}"

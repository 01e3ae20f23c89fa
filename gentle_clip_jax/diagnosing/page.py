"""The report of a diagnosis, as lines for a terminal and as one HTML page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gentle_clip_jax.aligners.sentences import of_unmatched
from gentle_clip_jax.diagnosing.named import named_diagnosis
from gentle_clip_jax.diagnosing.plots import draw
from gentle_clip_jax.diagnosing.verdict import advice
from gentle_clip_jax.pages import Step, render
from gentle_clip_jax.pages.items import Card, Pair
from gentle_clip_jax.storage.text import Sentence

Cards = Mapping[str, Mapping[str, Card]]  # of the sides "x" and "y", by id

_MARKS = {"good": "✓", "warning": "!", "bad": "✗", "unknown": "?"}
_SUGGESTED = {
    "likely": "Unmatched items are likely to help",
    "unlikely": "Unmatched items are unlikely to help",
    "unclear": "Whether unmatched items can help is unclear",
}
_FEW = 300  # pairs: from there on, chosen ones bring no more than others
_DATA = "--x=X --y=Y --pairs=PAIRS"  # as they were given


def headlines(diagnosis: Mapping[str, Any]) -> list[Sentence]:
    """Return the verdict on unmatched items in sentences, and what to do.

    What held-out pairs say of unmatched items comes first, in the words of `align`. What the other
    figures suggest follows only where held-out pairs cannot tell.
    """
    verdict = named_diagnosis(diagnosis)["verdict"]
    held_out = (diagnosis.get("held_out") or {}).get("expected") or {}
    sentences = []
    if held_out.get("unmatched"):
        sentences.append(of_unmatched(held_out["unmatched"]))
    if verdict["unmatched_data"] in _SUGGESTED:
        suggested = _SUGGESTED[verdict["unmatched_data"]]
        by = ""
        if sentences:
            by, suggested = "By the other figures, ", f"{suggested[0].lower()}{suggested[1:]}"
        sentences.append(Sentence(f"{by}{suggested}: {verdict['because']}"))
    return [*sentences, Sentence(advice(diagnosis))]


def suspects(diagnosis: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the suspicious pairs, the strangest first: ids "x" and "y", and "strangeness"."""
    return [one for finding in diagnosis["findings"] for one in _suspects(finding)]


def lines_of(diagnosis: Mapping[str, Any]) -> list[str]:
    """Return the numbers of items and pairs, and two lines for each figure."""
    diagnosis = named_diagnosis(diagnosis)
    lines = [_counts(diagnosis)]
    for one in diagnosis["findings"]:
        chance = f"; by chance {one['chance']}" if one["chance"] else ""
        lines.append(f"{_MARKS[one['level']]} {one['title']}: {one['value']}{chance}")
        lines.append(f"  {one['sentence']}")
    return lines


def diagnosis_page(diagnosis: Mapping[str, Any], cards: Cards) -> str:
    """Render the page; cards: previews of items, of the others it shows ids."""
    first, *lead = headlines(diagnosis)
    lead = [first, *lead] if first != first.plain else lead
    shown = named_diagnosis(diagnosis)
    return render(
        "diagnosing/templates/diagnosis.html",
        kind="diagnosis",
        name=_counts(shown),
        verdict=first.plain,
        lead=lead,
        findings=[_finding(finding, cards) for finding in shown["findings"]],
        drawn=_drawn(shown),
        now=_now(shown),
    )


def _now(diagnosis: Mapping[str, Any]) -> Iterable[Step]:
    if diagnosis["verdict"]["unmatched_data"] in ("helped", "likely"):
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

"""Advice on the method for a number of pairs, in sentences made from the figures alone."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from gentle_clip_jax.report.comparison.cells import Comparison


def advice(comparison: Comparison) -> list[str]:
    """Return one or two sentences for each number of pairs.

    The best method that uses unmatched items is compared with the best pairs-only method, each
    by the mean of the main metrics. On data sets with test items of their own a difference counts
    where it is above the spread of both; on one's own few pairs, which every seed measures anew,
    where their verdict says so.
    """
    return [
        f"With {label}: {_choice(comparison, pairs)}" for pairs, label in comparison.pairs.items()
    ]


def _choice(comparison: Comparison, pairs: int) -> str:
    if pairs in comparison.verdicts:
        return _by_verdict(comparison, comparison.verdicts[pairs])
    loose = _champion(comparison, pairs, comparison.unmatched)
    tight = _champion(comparison, pairs, comparison.methods.keys() - comparison.unmatched)
    if loose is None and tight is None:
        return "no method has all its figures yet."
    if loose is None or tight is None:
        kind = "with pairs alone" if loose is None else "with unmatched items"
        alone = comparison.methods[loose or tight or ""]
        return f"**{alone}** is the best {kind}, and nothing else is there to set it against."
    return _against(comparison, pairs, loose, tight)


def _champion(comparison: Comparison, pairs: int, methods: Iterable[str]) -> str | None:
    """Return the method with the highest mean over the main metrics, of those that have all."""
    rows = [comparison.row(pairs, metric) for metric in comparison.main]
    means = {
        name: statistics.mean(row[name].mean for row in rows)
        for name in comparison.methods
        if name in methods and rows and all(name in row for row in rows)
    }
    return max(means, key=lambda name: means[name], default=None)


def _against(comparison: Comparison, pairs: int, loose: str, tight: str) -> str:
    helped, hurt, within, unjudged = [], [], [], []
    for metric in comparison.main:
        a, b = (comparison.cells[name, pairs, metric] for name in (loose, tight))
        gain, text = a.mean - b.mean, f"{comparison.label(metric)} {100 * (a.mean - b.mean):+z.1f}"
        if a.spread is None or b.spread is None:
            unjudged.append(text)
        elif abs(gain) <= max(a.spread, b.spread):
            within.append(text)
        else:
            (helped if gain > 0 else hurt).append(text)
    first, second = (comparison.methods[name] for name in (loose, tight))
    rest = f"; the rest is within the spread ({', '.join(within)} points)" if within else ""
    if unjudged:
        return (
            f"a single seed has no spread, so there is no evidence yet; {first} with unmatched "
            f"items against the pairs-only {second}: "
            f"{', '.join(unjudged + helped + hurt + within)} points."
        )
    if helped and hurt:
        return (
            f"**{first}** or **{second}**, by the metric that matters to you: unmatched items "
            f"helped by more than the spread here ({', '.join(helped)} points) and hurt there "
            f"({', '.join(hurt)} points){rest}."
        )
    if helped:
        return (
            f"**{first}**: unmatched items helped by more than the spread, against {second} with "
            f"pairs alone ({', '.join(helped)} points){rest}."
        )
    if hurt:
        return (
            f"**{second}**: {first}, the best with unmatched items, is below it by more than the "
            f"spread ({', '.join(hurt)} points){rest}."
        )
    return (
        f"**{second}**, as the simpler one: nothing is above the spread between it and {first} "
        f"with unmatched items ({', '.join(within)} points)."
    )


def _by_verdict(comparison: Comparison, outcome: Mapping[str, Any]) -> str:
    first, second = (comparison.methods[outcome[name]] for name in ("method", "against"))
    value, low, high = (f"{100 * outcome[key]:+.1f}" for key in ("value", "low", "high"))
    points = f"{value} points of recall against {second}, the best pairs-only method"
    points += f" (99 %: {low} to {high})"
    recall, chance = ({k: 100 * v for k, v in outcome["recall"].items()}, 100 * outcome["chance"])
    if recall["low"] <= chance:
        top = comparison.methods[outcome["best"]]
        return (
            "nothing finds partners better than chance for sure: "
            f"{top} is the best with {recall['value']:.1f} % (95 %: "
            f"{recall['low']:.1f} to {recall['high']:.1f}), and chance is {chance:.1f} %; give "
            "more pairs."
        )
    if outcome["verdict"] == "helped":
        return f"**{first}**: unmatched items help, {points}."
    if outcome["verdict"] == "hurt":
        return f"**{second}**: unmatched items hurt; with them, {first} has {points}."
    if outcome["verdict"] == "alike":
        return f"**{second}**, as the simpler one: with unmatched items, {first} has {points}."
    needed = outcome["pairs_needed"]
    then = f"about {needed:,} pairs" if needed else "many more pairs than one would describe"
    return (
        f"too early to say whether unmatched items help: {first} has {points}; "
        f"{then} would decide it."
    )

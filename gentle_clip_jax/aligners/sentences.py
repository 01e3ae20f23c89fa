"""What to expect of a fitted aligner, in plain words."""

import re
from typing import Any


def sentences(metadata: dict[str, Any]) -> list[str]:
    """Return the held-out figures of an aligner's metadata in plain words.

    >>> recall = {"value": 0.2, "low": 0.1, "high": 0.4, "at": {"1": 0.1, "5": 0.2, "10": 0.3}}
    >>> expected = {"recall": recall, "among": 900, "splits": 20, "unmatched": None, "chance": 0.01}
    >>> sentences({"method": "cca", "fitted_on": {"pairs": 12}, "expected": expected})[0]
    'Of items that it has not seen, 30 % have their partner among the first ten of 900.'
    """
    expected = metadata["expected"]
    if expected is None:
        return [
            "No pair says how well this does: it rests on the names of classes alone. Make a dozen "
            "pairs by gentle-clip review, and align again."
        ]
    recall = expected["recall"]
    first = (
        f"Of items that it has not seen, {_cent(recall['at']['10'])} % have their partner among "
        f"the first ten of {expected['among']:,}."
    )
    warning = of_chance(metadata)
    rest = [first, of_method(metadata), of_unmatched(expected["unmatched"])]
    return [warning, *rest] if warning else rest


def plain(sentence: str) -> str:
    """Return a sentence without its statistics: intervals, differences and recall.

    >>> plain("Unmatched items help: +5 points against cca, between +1 and +9 (99 %).")
    'Unmatched items help.'
    >>> plain("It is not clear yet: +1 points, between -1 and +3; 90 pairs would decide it.")
    'It is not clear yet; 90 pairs would decide it.'
    >>> plain("Of 20 random screens, 60 % (39 to 78 %) showed the partner.")
    'Of 20 random screens, 60 % showed the partner.'
    """
    sentence = re.sub(r" \(\d+ to \d+ %\)", "", sentence)
    sentence = re.sub(r": [+-]\d[^;]*?(?=;|\.?$)", "", sentence)
    return re.sub(r"; recall \(.*", ".", sentence)


def of_chance(metadata: dict[str, Any]) -> str | None:
    """Return the sentence that warns of an aligner no better than chance; None if it is better."""
    pairs = metadata["fitted_on"]["pairs"]
    measured = f"partners of held-out pairs rank no better than by chance ({pairs:,} pairs)"
    return chance_warning(metadata["expected"].get("above_chance"), measured)


def chance_warning(above_chance: str | None, measured: str) -> str | None:
    """Return the sentence for a verdict of `verdict.above_chance`; None if it is "yes".

    measured: which partners rank no better than by chance, and how many they are.
    """
    check = (
        "Check that the pairs are right and no column is shifted, then try other features, such as "
        "encode --layers=rich or another encoder"
    )
    return {
        "too early": f"Too early to tell: so far {measured}. Make more pairs.",
        "not yet": f"Nothing is found yet: {measured}. {check}, before you make more pairs.",
        "no": f"Stop: this cannot work with these features, because {measured}. {check}.",
    }.get(above_chance or "")


def of_method(metadata: dict[str, Any]) -> str:
    """Return the sentence on the recall of held-out pairs; of metadata that have some."""
    expected, pairs = metadata["expected"], metadata["fitted_on"]["pairs"]
    recall = expected["recall"]
    return (
        f"Method {metadata['method']}, {pairs} pairs; recall (mean of R@1, 5 and 10, both ways) "
        f"{_cent(recall['value'])} %, between {_cent(recall['low'])} and {_cent(recall['high'])} % "
        f"(95 %, {expected['splits']} splits); by chance {_cent(expected['chance'])} %."
    )


def of_unmatched(found: dict[str, Any] | None) -> str:
    """Return the sentence on whether unmatched items help, by the figures of `verdict.gain`."""
    if found is None:
        return "This method uses no unmatched items."
    points = (
        f"{100 * found['value']:+.0f} points against {found['against']}, the best pairs-only "
        f"method, between {100 * found['low']:+.0f} and {100 * found['high']:+.0f} (99 %)"
    )
    verdict = found["verdict"]
    if verdict == "helped":
        return f"Unmatched items help: {points}."
    if verdict == "hurt":
        return f"Unmatched items hurt here: {points}."
    if verdict == "alike":
        return f"Unmatched items make little difference: {points}."
    then = "many more pairs than one would describe"
    if found["pairs_needed"]:
        then = f"about {found['pairs_needed']:,} pairs"
    return f"Whether unmatched items help is not clear yet: {points}; {then} would decide it."


def _cent(value: float) -> str:
    return f"{100 * value:.0f}" if value >= 0.095 or value == 0 else f"{100 * value:.1f}"

"""What to expect of a fitted aligner, in plain words."""

from typing import Any

from gentle_clip_jax.storage.text import Sentence

_VERDICTS = {
    "helped": "Unmatched items help",
    "hurt": "Unmatched items hurt here",
    "alike": "Unmatched items make little difference",
    "too early": "Whether unmatched items help is not clear yet",
}


def sentences(metadata: dict[str, Any]) -> list[str]:
    """Return the held-out figures of an aligner's metadata in plain words.

    >>> recall = {"value": 0.2, "low": 0.1, "high": 0.4, "at": {"1": 0.1, "5": 0.2, "10": 0.3}}
    >>> expected = {"recall": recall, "among": 900, "splits": 20, "unmatched": None, "chance": 0.01}
    >>> sentences({"method": "cca", "fitted_on": {"pairs": 12}, "expected": expected})[0]
    'Of items that it has not seen, 30 % have their partner among the first ten of 900.'
    """
    expected = metadata["expected"]
    if expected is None:
        rests_on = "class names" if metadata["method"] == "named_classes" else "the features"
        return [
            f"No pair says how well this does: it rests on {rests_on} alone. Make a dozen pairs by "
            "gentle-clip review, and align again."
        ]
    recall = expected["recall"]
    first = (
        f"Of items that it has not seen, {_cent(recall['at']['10'])} % have their partner among "
        f"the first ten of {expected['among']:,}."
    )
    warning = of_chance(metadata)
    rest = [first, of_method(metadata), of_unmatched(expected["unmatched"])]
    return [warning, *rest] if warning else rest


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


def of_method(metadata: dict[str, Any]) -> Sentence:
    """Return the sentence on the recall of held-out pairs; of metadata that have some."""
    expected, pairs = metadata["expected"], metadata["fitted_on"]["pairs"]
    recall = expected["recall"]
    fitted = f"Method {metadata['method']}, {pairs} pairs"
    return Sentence(
        f"{fitted}.",
        f"{fitted}; recall (mean of R@1, 5 and 10, both ways) {_cent(recall['value'])} %, between "
        f"{_cent(recall['low'])} and {_cent(recall['high'])} % (95 %, {expected['splits']} "
        f"splits); by chance {_cent(expected['chance'])} %.",
    )


def of_unmatched(found: dict[str, Any] | None) -> Sentence:
    """Return the sentence on whether unmatched items help, by the figures of `verdict.gain`.

    >>> gain = {"value": 0.05, "low": 0.01, "high": 0.09, "against": "cca", "verdict": "helped"}
    >>> of_unmatched(gain).plain
    'Unmatched items help.'
    """
    if found is None:
        return Sentence("This method uses no unmatched items.")
    points = (
        f"{100 * found['value']:+.0f} points against {found['against']}, the best pairs-only "
        f"method, between {100 * found['low']:+.0f} and {100 * found['high']:+.0f} (99 %)"
    )
    verdict, then = _VERDICTS[found["verdict"]], ""
    if found["verdict"] == "too early":
        needed = found["pairs_needed"]
        enough = f"about {needed:,} pairs" if needed else "many more pairs than one would describe"
        then = f"; {enough} would decide it"
    return Sentence(f"{verdict}{then}.", f"{verdict}: {points}{then}.")


def _cent(value: float) -> str:
    return f"{100 * value:.0f}" if value >= 0.095 or value == 0 else f"{100 * value:.1f}"

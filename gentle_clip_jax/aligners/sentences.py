"""What to expect of a fitted aligner, in plain words."""

from typing import Any

from gentle_clip_jax.evaluation.verdict import MOST_PAIRS
from gentle_clip_jax.storage.text import Sentence

_RANDOM_EVERY, _SCREEN = 5, 6.0  # screens of a review, of which one is random; seconds of one
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
    >>> sentences({"method": "cca", "fitted_on": {"pairs": 12}, "expected": expected})[-1]
    'This method uses no unmatched items.'
    """
    expected = metadata["expected"]
    if expected is None:
        rests_on = "class names" if metadata["method"] == "named_classes" else "the features"
        return [
            f"No pair says how well this does: it rests on {rests_on} alone. Make a dozen pairs by "
            "gentle-clip review, and align again."
        ]
    said = [of_chance(metadata), of_recall(expected), _of_match(metadata), _of_list(metadata)]
    return [*filter(None, said), of_method(metadata), of_unmatched(expected["unmatched"])]


def of_recall(expected: dict[str, Any]) -> str:
    """Return the sentence on R@10 and R@1 of held-out pairs, beside those by chance."""
    at, among = expected["recall"]["at"], expected["among"]
    return (
        f"Of items that it has not seen, {_cent(at['10'])} % have their partner among the first "
        f"ten of {among:,} (by chance {_cent(min(1, 10 / among))} %), {_cent(at['1'])} % first "
        f"(by chance {_cent(1 / among)} %)."
    )


def _of_match(metadata: dict[str, Any]) -> str | None:
    """Return the sentence on all unmatched items; None if they are no more than were held out."""
    of = metadata.get("to_match")
    if of is None:
        return None
    (x, y), names = of["among"], metadata["modalities"]
    sets = f"{x:,} items of {names[0]} and {y:,} of {names[1]}"
    if of["first"] is not None:
        return (
            f"Among all that match chooses from, {sets}, {_cent(of['first'])} % have their partner "
            "first."
        )
    if max(x, y) <= metadata["expected"]["among"]:
        return None
    return f"match chooses among more, {sets}: expect fewer partners to be first there."


def _of_list(metadata: dict[str, Any]) -> str | None:
    """Return the sentence on a list at a chosen error; None where partners rank as by chance."""
    forecast = metadata.get("to_match", {}).get("list")
    if forecast is None or metadata["expected"].get("above_chance", "yes") != "yes":
        return None
    return of_list(**forecast)


def of_list(error: float | None, length: int, lacking: int) -> str:
    """Return the sentence on a `ListForecast`.

    >>> of_list(0.2, 410, 0)[:56]
    'match --fdr=0.2 should list about 410 matches, of which '
    """
    if error is not None:
        return (
            f"match --fdr={error:g} should list about {length:,} matches, of which at most "
            f"{100 * error:g} % are wrong, if every item has a partner."
        )
    none = "match cannot list matches at a chosen error yet"
    if lacking:
        return f"{none}. {random_screens(lacking)}."
    return (
        f"{none}: too many of the surest held-out ones are wrong. More pairs, several texts an "
        "item or features of more layers may allow a list."
    )


def random_screens(count: int) -> str:
    """Return the advice to answer so many random screens of a review, and how long it takes.

    >>> random_screens(60)
    'Answer 60 screens that review shows at random, one in five: about 30 minutes of review'
    """
    minutes = max(1, round(count * _RANDOM_EVERY * _SCREEN / 60))
    return (
        f"Answer {count} screens that review shows at random, one in five: about {minutes} "
        f"{'minute' if minutes == 1 else 'minutes'} of review"
    )


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
    recall, method = expected["recall"], metadata["method"]
    chosen = metadata.get("held_out", {}).get("chosen", method)
    if chosen == "cca" != method:  # it was asked for by name
        method = f"{method} (held-out pairs turned its plan down: cca)"
    fitted = f"Method {method}, {pairs} pairs"
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
        small = f"with so small a difference it takes more than {MOST_PAIRS:,} pairs to tell"
        then = f"; about {needed:,} pairs would decide it" if needed else f"; {small}"
    return Sentence(f"{verdict}{then}.", f"{verdict}: {points}{then}.")


def _cent(value: float) -> str:
    return f"{100 * value:.0f}" if value >= 0.095 or value == 0 else f"{100 * value:.1f}"

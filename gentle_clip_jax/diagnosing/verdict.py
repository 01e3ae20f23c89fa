"""Verdict of a diagnosis: the prospects of unmatched data, and of alignment without pairs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gentle_clip_jax.diagnosing.finding import Finding

_CONSTANT = "all rows of"


class Verdict(NamedTuple):
    """Verdicts of a diagnosis, with their reasons.

    unmatched_data: "likely", "unlikely" or "unclear" to help.
    no_pairs: "hopeless", "not hopeless" or "unclear".
    because, no_pairs_because: one sentence each.
    """

    unmatched_data: str
    because: str
    no_pairs: str
    no_pairs_because: str


def verdict(
    findings: Iterable[Finding],
    pairs: int,
    unmatched_x: int,
    unmatched_y: int,
    constant: Sequence[str] = (),
) -> Verdict:
    """Return the verdict of the first rule that applies; docs/choose_a_method.md lists them.

    constant: modalities, "x" or "y", whose rows are all equal.
    """
    if constant:
        why = f"{_CONSTANT} {' and of '.join(constant)} are the same, so there is nothing to learn."
        return Verdict("unlikely", why, "hopeless", why)
    by_name = {finding.name: finding for finding in findings}
    level = {name: finding.level for name, finding in by_name.items()}
    return Verdict(
        *_unmatched_data(level, pairs, unmatched_x, unmatched_y),
        *_no_pairs(by_name["structure"]),
    )


def advice(diagnosis: Mapping[str, Any]) -> str:
    """Return the last sentence of a diagnosis, which says what to do."""
    verdict = diagnosis["verdict"]
    level = {one["name"]: one["level"] for one in diagnosis["findings"]}
    if verdict["because"].startswith(_CONSTANT):
        return "So: encode the items again, or give other features."
    if not diagnosis["counts"]["pairs"]:
        return "So: make a dozen pairs by gentle-clip review, then diagnose again."
    if level.get("held_out_pairs") == "bad" and level.get("agreement") != "good":
        return (
            "So: check that the pairs are right and no column is shifted, then try other features, "
            "before you make more pairs."
        )
    if level.get("pair_noise") == "bad":
        return "So: correct the pairs that look wrong, shown on the page of --out, and try again."
    if verdict["unmatched_data"] in ("unlikely", "hurt", "alike"):
        return (
            "So: run gentle-clip align, which leaves unmatched items out where they do not help, "
            "and make more pairs rather than collect more unmatched items."
        )
    more = "" if verdict["unmatched_data"] == "helped" else "; more pairs make that surer"
    return (
        "So: run gentle-clip align, which uses unmatched items where held-out pairs say that they "
        f"help{more}."
    )


def _unmatched_data(
    level: dict[str, str], pairs: int, unmatched_x: int, unmatched_y: int
) -> tuple[str, str]:
    bad = {name for name, one in level.items() if one == "bad"}
    shifted = [name for name in ("x", "y") if f"shift_{name}" in bad]
    if not unmatched_x and not unmatched_y:
        return "unlikely", "every item has a pair."
    if not pairs:
        return "unclear", "without a single pair nothing says how the two sets belong together."
    if "held_out_pairs" in bad and level["agreement"] != "good":
        return "unlikely", "the pairs show no relation between x and y in these features."
    if "mapped_sets" in bad:
        return (
            "unlikely",
            "the unmatched sets lie further apart than pairs do, so drawing them together would "
            "join what does not belong together.",
        )
    if len(shifted) == 1:
        (other,) = {"x", "y"} - {*shifted}
        return (
            "unlikely",
            f"the unmatched items of {shifted[0]} are unlike the matched ones, while those of "
            f"{other} are not.",
        )
    if shifted:
        return (
            "unclear",
            "the unmatched items of both modalities are unlike the matched ones, perhaps in the "
            "same way; if so, maps fitted on the pairs may still not hold for them.",
        )
    if level["held_out_pairs"] != "good":
        return "unclear", f"{pairs} pairs are too few, or too weak, to recognise other pairs."
    if "pair_noise" in bad:
        return "unclear", "too many of the pairs look wrong: mend the pairs first."
    if level["mapped_sets"] == "unknown":
        return (
            "unclear",
            f"nothing speaks against it, but with {pairs} pairs, {unmatched_x} unmatched items of "
            f"x and {unmatched_y} of y a difference between the unmatched sets could not show.",
        )
    return (
        "likely",
        "the pairs relate x and y, and the unmatched sets are "
        + (
            "no further apart than pairs are."
            if level["mapped_sets"] == "good"
            else "not much further apart than pairs are."
        ),
    )


def _no_pairs(structure: Finding) -> tuple[str, str]:
    if not structure.numbers:
        return "unclear", "there are too few distinct items to compare the shapes of the sets."
    if "pair_hits" not in structure.numbers:
        if structure.level == "warning":
            return "hopeless", "the shapes of both sets match no better than by chance."
        return (
            "unclear",
            "the shapes of both sets match better than by chance, but there are too few pairs to "
            "see whether the match is right.",
        )
    hits, chance = (structure.numbers[name] for name in ("pair_hits", "pair_hits_chance"))
    return (
        "not hopeless" if structure.level == "good" else "hopeless",
        f"the best match of their shapes puts {hits:.0%} of the pairs into matching clusters, a "
        f"random match {chance:.0%}.",
    )

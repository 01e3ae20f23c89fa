"""Verdict of a diagnosis: the prospects of unmatched data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gentle_clip_jax.diagnosing.finding import Finding


class Verdict(NamedTuple):
    """Verdict of a diagnosis, with its reason.

    unmatched_data: "likely", "unlikely" or "unclear" to help.
    because: one sentence.
    constant: modalities, "x" or "y", whose rows are all equal.
    """

    unmatched_data: str
    because: str
    constant: Sequence[str] = ()


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
        which = " and of ".join(constant)
        why = f"all rows of {which} are the same, so there is nothing to learn."
        return Verdict("unlikely", why, constant)
    level = {finding.name: finding.level for finding in findings}
    return Verdict(*_unmatched_data(level, pairs, unmatched_x, unmatched_y))


def advice(diagnosis: Mapping[str, Any]) -> str:
    """Return the last sentence of a diagnosis, which says what to do."""
    verdict = diagnosis["verdict"]
    level = {one["name"]: one["level"] for one in diagnosis["findings"]}
    if verdict["constant"]:
        return "So: encode the items again, or give other features."
    if not diagnosis["counts"]["pairs"]:
        return "So: make a dozen pairs by gentle-clip review, then diagnose again."
    if level.get("held_out_pairs") == "bad":
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
    if "held_out_pairs" in bad:
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

"""Tables of pairs to go on with, each with a sentence: the given ones and the probable matches, or
the longest list of matches at a chosen error."""

import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gentle_clip_jax.aligners.refits import LEAST_PAIRS
from gentle_clip_jax.aligners.sentences import random_screens
from gentle_clip_jax.evaluation.listed import Listed, listed
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.matching.matches import Matches
from gentle_clip_jax.matching.probabilities import is_share

LEAST = 0.5  # probability of a match that counts as accepted
HEADING = ("x", "y", "probability", "decision")
# Filled in here, and by the page for other decisions; {least} and {share} are per cent.
COUNTS = {
    "table": "The table has {total} pairs: {parts}.",
    "given": "{given} given",
    "accepted": "{accepted} matches accepted by hand",
    "probable": "{probable} matches with a probability of {least} % or more, of which {wrong} "
    "({share} %) are expected to be wrong according to held-out pairs",
}


class Accepted(NamedTuple):
    """Pairs to use from now on.

    rows: x, y, probability ("" for a given pair) and decision of each: "probable", or for a given
      pair its origin, "given" if it is not known.
    methods: sentences for the methods section of a paper.
    least: no match of a lower probability is in it.
    summary: sentence on the list at a chosen error, "" for another table.
    """

    rows: list[tuple[str, str, str, str]]
    methods: str
    least: float
    summary: str = ""


def accepted_pairs(
    matches: Matches,
    x_ids: np.ndarray,
    y_ids: np.ndarray,
    given: Sequence[tuple[str, str, str]],
    methods: str,
    least: float = LEAST,
) -> Accepted:
    """Return the given pairs, then the matches of at least a probability, most probable first.

    Args:
      x_ids, y_ids: ids of all items.
      given: ids and origin of the pairs that items were matched with.
      methods: the sentence of `methods_of`.
      least: probability, above 0 to 1.

    Raises:
      ValueError: least is not above 0 and up to 1.
    """
    if not is_share(least):
        raise ValueError(f"accept is {least!r}: give the least probability, above 0 to 1.")
    chosen = np.flatnonzero((matches.y >= 0) & (matches.probability >= least))
    chosen = chosen[np.argsort(-matches.probability[chosen], kind="stable")]
    rows = [(str(x), str(y), "", origin) for x, y, origin in given]
    rows += _rows(matches, x_ids, y_ids, chosen)
    parts = [COUNTS["given"].format(given=f"{len(given):,}")]
    if len(chosen):
        share = float(np.mean(1 - matches.probability[chosen]))
        figures = {"least": f"{100 * least:g}", "share": f"{100 * share:.0f}"}
        figures |= {"probable": f"{len(chosen):,}", "wrong": f"{share * len(chosen):,.0f}"}
        parts.append(COUNTS["probable"].format(**figures))
    counts = COUNTS["table"].format(total=f"{len(rows):,}", parts=_joined(parts))
    return Accepted(rows, f"{methods} {counts}", least)


def check_fdr(fdr: float | None, share: float | None) -> None:
    """Check what a list at a chosen error needs; None is no such list.

    Raises:
      ValueError: fdr is not above 0 and below 1, or there is no share.
    """
    if fdr is None:
        return
    if not 0 < fdr < 1:
        raise ValueError(f"fdr is {fdr}: give the share of wrong matches, above 0 and below 1.")
    if share is None:
        raise ValueError(
            "fdr needs share, the share of the items of x that have a partner: give it too, 1 if "
            "all have one."
        )


def listed_pairs(
    matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray, methods: str, fdr: float
) -> Accepted:
    """Return the longest list of matches of which at most a share `fdr` is wrong.

    The given pairs are not in it. It is empty where held-out pairs do not justify such a list, or
    where too few are a random sample of the items to match.

    Args:
      x_ids, y_ids: ids of all items.
      methods: the sentence of `methods_of`.
      fdr: greatest share of wrong matches, above 0 and below 1.

    Raises:
      ValueError: as `check_fdr`.
    """
    check_fdr(fdr, matches.share)
    if why := _why_none(matches):
        return Accepted([], methods, 1.0, f"No list at a chosen error: {why}.")
    assert matches.outcomes is not None
    found = listed(matches.outcomes, matches.share or 0, fdr)
    rows = _rows(matches, x_ids, y_ids, found.rows)
    held_out = len(matches.outcomes.absent)
    summary = list_summary(found, fdr, held_out)
    if not len(rows) and found.needed > held_out:
        summary += f" {random_screens(found.needed - held_out)}."
    probability = matches.probability[found.rows]
    least = float(np.nanmin(probability)) if len(probability) else 1.0
    return Accepted(rows, f"{methods} {summary}", least, summary)


def _why_none(matches: Matches) -> str:
    """Return why no list is possible with these pairs, and what to do; "" if one is."""
    calibration = matches.calibration
    if matches.outcomes is None:
        return f"there are {calibration.pairs} pairs, and it needs {LEAST_PAIRS}"
    return calibration.why_unfair


def list_summary(
    found: Listed,
    fdr: float,
    held_out: int,
    more: str = "several texts an item or features of more layers",
) -> str:
    """Return the sentence on a list at a chosen error; `more`: what may allow one beside pairs."""
    if len(found.rows):
        upper = math.ceil(round(100 * found.upper, 6))
        return (
            f"The list has {len(found.rows):,} matches, of which at most {upper} % are wrong "
            f"(with 95 % confidence; {100 * fdr:g} % was chosen), according to "
            f"{held_out:,} held-out pairs."
        )
    if found.wrong is None:
        why = f"it needs {found.needed:,} held-out pairs with a match"
    elif found.wrong:
        why = f"of the {found.needed:,} surest held-out matches, {found.wrong:,} are wrong"
    else:
        why = "no score separates right held-out matches well enough from wrong ones"
    return (
        f"No list of which at most {100 * fdr:g} % is wrong can be given: {why}. More pairs "
        f"({held_out:,} held out now), {more} may allow one."
    )


def _rows(
    matches: Matches, x_ids: np.ndarray, y_ids: np.ndarray, chosen: np.ndarray
) -> list[tuple[str, str, str, str]]:
    return [
        (
            str(x_ids[matches.x[i]]),
            str(y_ids[matches.y[i]]),
            f"{matches.probability[i]:.4g}",
            "probable",
        )
        for i in chosen
    ]


def methods_of(
    matches: Matches, x: Collection, y: Collection, metadata: Mapping[str, Any], given: int
) -> str:
    """Return the sentence on data, encoders, pairs, method and version.

    Args:
      metadata: of the aligner.
      given: number of pairs that items were matched with.
    """
    names = metadata.get("modalities", ("x", "y"))
    data = " and ".join(_described(rows, name) for rows, name in zip((x, y), names))
    version = importlib.metadata.version("gentle-clip-jax")
    partners = matches.y[matches.y >= 0]
    way = "one to one" if len(np.unique(partners)) == len(partners) else "with the nearest"
    share = ""
    if matches.expected is not None:
        share = f", of which {100 * (matches.share or 0):g} % were assumed to have a partner"
    return (
        f"We aligned {data} with {given:,} given pairs by the method {metadata['method']} of "
        f"gentle-clip-jax {version}, and matched {way} the other {len(matches.x):,} items of "
        f"{names[0]}{share}."
    )


def _described(rows: Collection, name: str) -> str:
    encoder = f", features of {rows.encoder['encoder']}" if rows.encoder else ""
    where = f" ({rows.path.name}{encoder})" if rows.path else ""
    return f"{len(rows.items):,} items of {name}{where}"


def _joined(parts: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> _joined(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last

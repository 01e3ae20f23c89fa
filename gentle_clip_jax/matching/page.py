"""Page of matches: their probabilities, the surest ones, and a random sample."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from markupsafe import Markup

from gentle_clip_jax.matching.matches import Matches
from gentle_clip_jax.pages import Step, render
from gentle_clip_jax.pages.items import Card, Pair
from gentle_clip_jax.pages.names import named
from gentle_clip_jax.pages.plot import PAGE, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 12


class Items(Protocol):
    """Items of a modality: their ids, and previews of some of them."""

    @property
    def items(self) -> np.ndarray: ...

    def previews(self, ids: Sequence[str]) -> Mapping[str, Card]: ...


class Named(NamedTuple):
    """Items of a modality with its name and path."""

    items: Items
    name: str
    path: str


def matches_page(
    matches: Matches, x: Named, y: Named, *, aligner: str, pairs: str | None, is_run: bool = False
) -> str:
    """Render the page of a result of `match`.

    aligner, pairs: their paths on the command line; pairs may be equal ids, without a path.
    is_run: the aligner is a trained run, which `align` cannot refit.
    """
    matched = np.flatnonzero(matches.y >= 0)
    shown = matches.expected is not None
    cosine = _cosine(matches)
    sure = matches.probability if shown else cosine
    surest = matched[np.argsort(-sure[matched], kind="stable")[:_SHOWN]]
    sampled = np.sort(np.random.default_rng(0).permutation(matched)[:_SHOWN])
    notes = [_note(*of) for of in zip(matches.probability, cosine, matches.mutual)]
    pictured = _pairs(matches, [*surest, *sampled], x.items, y.items, notes)
    verdict, _, rest = named(matches.summary, x.name, y.name).partition(". ")
    sides = f"--x={shlex.quote(x.path)} --y={shlex.quote(y.path)}"
    sides += f" --pairs={shlex.quote(pairs or 'PAIRS')}"
    confirm = Step(
        "Confirm those that are unsure: every pair makes the next matches better.",
        f"gentle-clip review --aligner={shlex.quote(aligner)} {sides}",
    )
    anew = Step(
        "With more pairs, align anew and match again.",
        f"gentle-clip align {sides} --out={shlex.quote(aligner)}",
    )
    return render(
        "matching/templates/matches.html",
        kind="matches",
        name=f"{len(matched):,} of {len(matches.x):,} items of {x.name} with a partner in {y.name}",
        verdict=verdict,
        lead=[rest] if rest else [],
        histogram=_histogram(matches.probability[matched]) if shown else None,
        surest=pictured[: len(surest)],
        drawn=pictured[len(surest) :],
        now=[confirm] if is_run else [confirm, anew],
    )


def _pairs(
    matches: Matches, rows: Sequence[int], x: Items, y: Items, notes: Sequence[str]
) -> list[Pair]:
    """Return the matches of some rows with previews; `rows` are places in `matches.x`."""
    x_ids, y_ids = x.items.tolist(), y.items.tolist()
    ids = [(x_ids[matches.x[row]], y_ids[matches.y[row]]) for row in rows]
    of_x, of_y = x.previews([one for one, _ in ids]), y.previews([one for _, one in ids])
    return [Pair(of_x[a], of_y[b], notes[row]) for row, (a, b) in zip(rows, ids)]


def _cosine(matches: Matches) -> np.ndarray:
    """Return the cosine [n] of each match; NaN where y is not among the nearest."""
    is_match = matches.of_x.candidate == matches.y[:, None]
    return np.where(is_match.any(axis=1), np.sum(is_match * matches.of_x.cosine, axis=1), np.nan)


def _note(probability: float, cosine: float, mutual: bool) -> str:
    sure = f"{100 * probability:.0f}\u202f% probable"
    if np.isnan(probability):
        sure = "" if np.isnan(cosine) else f"cosine {cosine:.2f}"
    both = "nearest both ways" if mutual else ""
    return ", ".join(one for one in (sure, both) if one)


def _histogram(probability: np.ndarray) -> Markup:
    def paint(axes: "Axes") -> None:
        counts, edges = np.histogram(probability, bins=20, range=(0, 1))
        axes.stairs(counts, 100 * edges, fill=True, color=PAGE["blue"], alpha=0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("probability, per cent")
        axes.set_ylabel("matches")

    return plot("probability", "How probable the matches are", paint, (4.2, 2.2))

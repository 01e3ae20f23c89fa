"""Page of matches: a table in which each can be accepted or rejected, and their reliability."""

import base64
import functools
import pathlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from markupsafe import Markup

from gentle_clip_jax.matching.accepted import COUNTS, LEAST
from gentle_clip_jax.matching.calibration import Bin
from gentle_clip_jax.matching.matches import Matches
from gentle_clip_jax.pages import Step, render
from gentle_clip_jax.pages.items import Card
from gentle_clip_jax.pages.names import named
from gentle_clip_jax.pages.plot import PAGE, plot
from gentle_clip_jax.storage.digests import sha256_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ASSETS = pathlib.Path(__file__).parent / "assets"
_LETTERS = 240  # of a text in the table
_FEW, _LARGE, _SMALL = 1000, 160, 88  # pictures; pixels of each for so few, and for more


class Items(Protocol):
    """Items of a modality: their ids, and previews of some of them."""

    @property
    def items(self) -> np.ndarray: ...

    def previews(self, ids: Sequence[str], *, pixels: int) -> Mapping[str, Card]: ...


class Named(NamedTuple):
    """Items of a modality with its name and path."""

    items: Items
    name: str
    path: str


def matches_page(
    matches: Matches,
    x: Named,
    y: Named,
    *,
    aligner: str,
    pairs: str | None,
    given: Sequence[tuple[str, str, str]] = (),
    methods: str = "",
    least: float = LEAST,
    notes: Sequence[str] = (),
    is_run: bool = False,
) -> str:
    """Render the page of a result of `match`.

    aligner, pairs: their paths on the command line; pairs may be equal ids, without a path.
    given: ids and origin of the pairs; methods: the sentence of `methods_of`.
    least: probability from which on a match counts as accepted, at first.
    notes: sentences on a list at a chosen error and on prediction sets.
    is_run: the aligner is a trained run, which `align` cannot refit.
    """
    matched = np.flatnonzero(matches.y >= 0)
    shown = matches.expected is not None
    order = matches.probability if shown else matches.cosine
    matched = matched[np.argsort(-order[matched], kind="stable")]
    verdict, _, rest = named(matches.summary, x.name, y.name).partition(". ")
    script = (_ASSETS / "matches.js").read_text("utf-8")
    digest = base64.b64encode(bytes.fromhex(sha256_of(script.encode()))).decode()
    return render(
        "matching/templates/matches.html",
        kind="matches",
        name=f"{len(matched):,} of {len(matches.x):,} items of {x.name} with a proposed partner in "
        f"{y.name}, none confirmed",
        verdict=verdict,
        lead=[*([rest] if rest else []), *notes],
        data=_data(matches, matched, x, y, given, methods),
        names=(x.name, y.name),
        shown=shown,
        least=f"{100 * float(f'{least:.4g}'):g}",  # probabilities on the page have four digits
        histogram=_histogram(matches.probability[matched]) if shown and len(matched) else None,
        reliability=_reliability(matches.reliability) if matches.reliability else None,
        css=Markup((_ASSETS / "matches.css").read_text("utf-8")),
        script=Markup(script),
        script_digest=digest,
        now=_now(x, y, aligner, pairs, is_run),
    )


def scores_page(
    summary: str, probability: np.ndarray, bins: Sequence[Bin], accepted: int | None
) -> str:
    """Render the page of a result of `calibrate`.

    accepted: number of matches in the list at a chosen error, None without.
    """
    verdict, _, rest = summary.partition(". ")
    table = "accepted.csv" if accepted else "matches.csv"
    return render(
        "matching/templates/scores.html",
        kind="calibrated scores",
        name=f"{len(probability):,} matches by the scores of another program",
        verdict=verdict,
        lead=[rest],
        histogram=_histogram(probability),
        reliability=_reliability(bins),
        now=[Step(f"Check some matches of {table} in random order before you use them.")],
    )


def _now(x: Named, y: Named, aligner: str, pairs: str | None, is_run: bool) -> list[Step]:
    sides = f"--x={shlex.quote(x.path)} --y={shlex.quote(y.path)}"
    of_pairs = f"--pairs={shlex.quote(pairs or 'PAIRS')}"
    confirm = Step(
        "Confirm those that are unsure: every pair makes the next matches better.",
        f"gentle-clip review --aligner={shlex.quote(aligner)} {sides} {of_pairs}",
    )
    anew = Step(
        "With more pairs, align anew and match again. accepted.csv is such a file of pairs, "
        "once you have looked through it.",
        f"gentle-clip align {sides} --pairs=accepted.csv --out={shlex.quote(aligner)}",
    )
    return [confirm] if is_run else [confirm, anew]


def _data(
    matches: Matches,
    matched: np.ndarray,
    x: Named,
    y: Named,
    given: Sequence[tuple[str, str, str]],
    methods: str,
) -> dict[str, Any]:
    """Return the content of the table, for the script of the page; the surest match first."""
    of_x, of_y = matches.x[matched], matches.y[matched]
    # Each item of y once, however many items of x it is matched with.
    partners, place = np.unique(of_y, return_inverse=True)
    ids = x.items.items[of_x].tolist(), y.items.items[partners].tolist()
    pixels = _LARGE if max(map(len, ids)) <= _FEW else _SMALL
    cards = [rows.items.previews(of, pixels=pixels) for rows, of in zip((x, y), ids)]
    pairs = [[ids[0][i], ids[1][j]] for i, j in enumerate(place.tolist())]
    rounded = functools.partial(_rounded, of=matched)
    return {
        "digest": sha256_of(pairs),
        "x": [_item(cards[0][id_]) for id_ in ids[0]],
        "y": [_item(cards[1][id_]) for id_ in ids[1]],
        "partner": place.tolist(),
        "probability": rounded(matches.probability),
        "cosine": rounded(matches.cosine),
        "mutual": matches.mutual[matched].astype(int).tolist(),
        "given": [[*map(str, pair)] for pair in given],
        "methods": methods,
        "counts": COUNTS,
    }


def _item(card: Card) -> list[str]:
    """Return an item's id, text, and picture in base64."""
    text = " ".join(card.text.split())
    text = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
    parts = [card.id, text, base64.b64encode(card.picture or b"").decode()]
    # A path on the disk may be no text.
    return [part.encode("utf-8", "backslashreplace").decode() for part in parts]


def _rounded(values: np.ndarray, of: np.ndarray) -> list[float | None]:
    """Return numbers for JSON, None where there is none."""
    return [None if np.isnan(one) else float(f"{one:.4g}") for one in values[of].tolist()]


def _histogram(probability: np.ndarray) -> Markup:
    most = _end(probability)

    def paint(axes: "Axes") -> None:
        counts, edges = np.histogram(probability, bins=20, range=(0, most))
        axes.stairs(counts, 100 * edges, fill=True, color=PAGE["blue"], alpha=0.6)
        axes.set_xlim(0, 100 * most)
        axes.set_xlabel("probability, per cent")
        axes.set_ylabel("matches")

    return plot("probability", "How probable the matches are", paint, (4.2, 2.6))


def _reliability(bins: Sequence[Bin]) -> Markup:
    most = _end([one.high for one in bins] + [one.probability for one in bins])

    def paint(axes: "Axes") -> None:
        axes.plot([0, 100 * most], [0, 100 * most], color=PAGE["muted"], linewidth=0.8)
        for one in bins:
            place = 100 * one.probability
            ends = [100 * one.low, 100 * one.high]
            axes.plot([place] * 2, ends, color=PAGE["blue"], clip_on=False)
            axes.plot(place, 100 * one.value, "o", color=PAGE["blue"], markersize=5, clip_on=False)
        axes.set_xlim(0, 100 * most)
        axes.set_ylim(0, 100 * most)
        axes.set_xlabel("stated probability, per cent")
        axes.set_ylabel("right, per cent")

    return plot("reliability", "Share of right matches by probability", paint, (4.2, 2.6))


def _end(values: Iterable[float]) -> float:
    """Return the end of an axis that starts at 0: the next 5 or 10 per cent above all values."""
    most = max(values)
    step = 0.05 if most < 0.3 else 0.1
    return min(1.0, step * (1 + most // step))

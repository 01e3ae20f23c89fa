"""Origins of pairs: do intervals and lists hold where pairs were not drawn at random?

    python benchmarks/origins.py --data=DATA --cache=CACHE [--fields emoji ...] [--draws 20]

Fields are those of benchmarks/few_pairs: at most 2,000 of the items that are not for choosing. Each
draw makes pairs in each of four ways, fits CCA, and matches all other items, whose partners are all
there; once as if all pairs were a random sample, and once with the origins that `ask` and `review`
keep. Writes docs/results/origins.json; goes on after a stop.
"""

import argparse
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from few_pairs import protocol
from few_pairs.run import HERE, discover
from published import RESULTS, command, publish, read

import gentle_clip_jax as gc
from gentle_clip_jax.aligners import METHODS
from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.aligners.fair_pairs import Fair, fair_pairs
from gentle_clip_jax.aligners.refits import held_out_pairs
from gentle_clip_jax.asking.choose import asked_items
from gentle_clip_jax.evaluation.listed import listed
from gentle_clip_jax.features.origins import Origins
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.reviewing import queue
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

FIELDS = ("emoji", "photographs", "aerial_images")
ITEMS = 2000
ERRORS = (0.1, 0.2, 0.5)
RANDOM, EASY, ASKED, FIRST, SCREENS = 400, 200, 400, 30, 500
EASY_PART = 1 / 3  # of all items, those with the nearest partners
REFIT_EVERY = 50  # pairs; `review` refits after ten answers
COLUMNS = ("field", "draw", "way", "fair", "pairs", "used", "missed", "right", "expected")
COLUMNS += ("low", "high", "warns", "lacking", "error", "length", "wrong", "upper")


class Sample(NamedTuple):
    """Numbers of paired items.

    given: those whose origin nobody knows. lines: the others in the order of the answers, each with
      its origin and whether its partner was found.
    """

    given: np.ndarray
    lines: list[tuple[int, str, bool]]

    @property
    def pairs(self) -> np.ndarray:
        return np.array([*self.given, *(row for row, _, found in self.lines if found)])

    @property
    def fair(self) -> Fair:
        named = [(str(row), str(row) if found else "", word) for row, word, found in self.lines]
        ids = self.pairs.astype(str)
        return fair_pairs(Origins(tuple(named)), ids, dict(zip(ids.tolist(), ids.tolist())))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of the features")
    parser.add_argument("--fields", nargs="+", default=[*FIELDS])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    content: dict[str, Any] = read("origins", args.out) or {"rows": []}
    done = {(row["field"], row["draw"]) for row in content["rows"]}
    modules = discover(HERE / "fields", args.fields)
    loaded = {name: items(module.load(args.data, args.cache)) for name, module in modules.items()}
    draws = range(args.first, args.first + args.draws)
    for draw, (name, (x, y)) in itertools.product(draws, loaded.items()):
        if (name, draw) in done:
            continue
        for row in measured(x, y, draw):
            content["rows"].append({"field": name, "draw": draw, **row})
        print(name, draw, flush=True)
        facts = {"command": command("origins"), "commit": commit(), "machine": machine()}
        publish("origins", {**content, **facts}, args.out, COLUMNS)


def items(field: protocol.Field) -> tuple[np.ndarray, np.ndarray]:
    """Return x [n, dx] and y [n, dy] of the items that are not for choosing."""
    parts = protocol.split(field)
    rows = np.random.default_rng(0).permutation(np.concatenate([parts.train, parts.test]))[:ITEMS]
    return field.x[rows], field.y[rows]


def measured(x: np.ndarray, y: np.ndarray, draw: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a draw."""
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(x))
    easy = rng.permutation(easiest(x, y))[:EASY]
    samples = {"random": Sample(order[:RANDOM], []), "asked": asked(x, draw)}
    samples["reviewed"] = reviewed(x, y, order[:FIRST], draw)
    samples["easy, then reviewed"] = reviewed(x, y, easy, draw)
    for way, sample in samples.items():
        yield from matched(x, y, way, sample)


def easiest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the items whose partner is nearest, by the fit to half of them in turn."""
    cosines, halves = np.zeros(len(x)), np.arange(len(x)) % 2
    for half in (0, 1):
        of, rest = np.flatnonzero(halves == half), np.flatnonzero(halves != half)
        rows_x, rows_y = embedded(x, y, rest)
        cosines[of] = np.sum(rows_x[of] * rows_y[of], axis=1)
    return np.argsort(-cosines)[: int(EASY_PART * len(x))]


def asked(x: np.ndarray, draw: int) -> Sample:
    """Return what a person pairs who answers all that `ask` asks."""
    words = {True: "random", False: "asked"}
    rows = asked_items(x, ASKED, seed=draw)
    return Sample(np.zeros(0, int), [(row, words[is_random], True) for row, is_random in rows])


def reviewed(x: np.ndarray, y: np.ndarray, given: np.ndarray, draw: int) -> Sample:
    """Return what a person pairs who finds a partner if it is on the screen."""
    asked, pairs, lines = np.zeros(len(y), bool), [*given], []
    asked[given] = True
    free, fitted = ~asked, 0
    for place in range(SCREENS):
        if len(pairs) >= fitted + REFIT_EVERY or not fitted:
            fitted = max(len(given), len(pairs) // REFIT_EVERY * REFIT_EVERY)
            ranking = queue.ranked(*embedded(x, y, np.array(pairs[:fitted])), free, seed=draw)
        item, how = queue.next_item(ranking, ~asked, place, seed=draw)
        asked[item] = True
        found = item in queue.grid(ranking, item, free)
        if found:
            free[item] = False
            pairs.append(item)
        if found or how == "random":
            lines.append((item, "random" if how == "random" else "reviewed", found))
    return Sample(given, lines)


def embedded(x: np.ndarray, y: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows of all items by CCA of some pairs."""
    rest = np.setdiff1d(np.arange(len(x)), pairs)
    fitted = METHODS["cca"].fit(gc.Problem(x[pairs], y[pairs], x[rest], y[rest]))
    return tuple(unit_rows(np.asarray(of)) for of in (fitted.embed_x(x), fitted.embed_y(y)))


def matched(x: np.ndarray, y: np.ndarray, way: str, sample: Sample) -> Iterator[dict[str, Any]]:
    """Yield a row for each chosen error, without and with the fair sample."""
    pairs = sample.pairs
    rest = np.setdiff1d(np.arange(len(x)), pairs)
    order = np.concatenate([pairs, rest])
    problem = gc.Problem(x[pairs], y[pairs], x[rest], y[rest])
    fitted = METHODS["cca"].fit(problem)
    unmatched = np.arange(len(pairs), len(x))
    held_out = held_out_pairs(fitted, problem, jax.random.key(0)).numbered(unmatched, unmatched)
    known = np.stack([np.arange(len(pairs))] * 2, axis=1)
    settings: Any = {"pairs": known, "share": 1.0, "with_outcomes": True, "held_out": held_out}
    for fair in (None, sample.fair):
        found = match_arrays(fitted, x[order], y[order], fair=fair, **settings)
        if found.outcomes is None or found.expected is None:
            return  # the pairs are too few for probabilities
        right, of = found.x == found.y, found.calibration
        row = {"way": way, "fair": fair is not None, "pairs": len(pairs), "used": of.pairs}
        row |= {"missed": of.missed, "right": int(right.sum()), "warns": of.is_biased}
        row |= {"lacking": of.lacking, "expected": found.expected.value}
        row |= {"low": found.expected.low, "high": found.expected.high}
        for error in ERRORS:
            one = listed(found.outcomes, 1.0, error)
            rows = one.rows[: 0 if of.is_biased or of.lacking else None]
            wrong = int(np.sum(~right[rows]))
            yield row | {"error": error, "length": len(rows), "wrong": wrong, "upper": one.upper}


if __name__ == "__main__":
    main()

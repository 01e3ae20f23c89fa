"""Orders of the screens of a review, on items for choosing: confirmed pairs, right matches, recall.

    python benchmarks/review_orders.py --data=DATA --cache=CACHE --fields emoji --draws 200 201 \\
        --starts 30 100 --orders clusters gain quarter soft mix [--train]

Items: as in origins.py, 2,000 at most, or all train items with --train. Each draw knows some random
pairs, and keeps items out that are never asked about: a fifth, 200 at most, or 1,000 with --train.
A program clicks the partner if it is among the 48. Prints a line for each number of screens.
"""

import argparse
import itertools
import json
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
import origins
from few_pairs import protocol
from few_pairs.run import HERE, discover

from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.reviewing import queue, refit
from gentle_clip_jax.reviewing.journal import Journal
from gentle_clip_jax.reviewing.session import Session

SCREENS = (50, 100, 200, 250)
POWERS = {"gain": 0.0, "quarter": 0.25, "soft": 0.5, "mix": 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--fields", nargs="+", required=True)
    parser.add_argument("--draws", nargs="+", type=int, required=True)
    parser.add_argument("--starts", nargs="+", type=int, default=[30, 100])
    parser.add_argument("--orders", nargs="+", default=["clusters", *POWERS])
    parser.add_argument("--train", action="store_true")
    args = parser.parse_args()
    for name, module in discover(HERE / "fields", args.fields).items():
        field = module.load(args.data, args.cache)
        rows = protocol.split(field).train
        x, y = (field.x[rows], field.y[rows]) if args.train else origins.items(field)
        for cell in itertools.product(args.draws, args.starts, args.orders):
            for found in reviewed(
                np.float32(x), np.float32(y), *cell, most=1000 if args.train else 200
            ):
                print(json.dumps({"field": name, **found}), flush=True)


def next_item(order: str):
    """Return the function that chooses the next y; "clusters" is that of commit 1f30441."""

    def chosen(ranking: queue.Ranking, unasked: np.ndarray, place: int, *, seed: int = 0):
        choices = np.flatnonzero(unasked)
        if place % queue.RANDOM_EVERY == queue.RANDOM_EVERY - 1:
            return int(np.random.default_rng((seed, place)).choice(choices)), "random"
        asked = np.bincount(ranking.cluster[~unasked], minlength=ranking.cluster.max() + 1)
        asked = asked[ranking.cluster]
        if order == "clusters" or (order == "mix" and place % 2):
            best = np.lexsort((choices, -ranking.chance[choices], asked[choices]))[0]
        else:
            best = np.argmax((ranking.gain / (1 + asked) ** POWERS[order])[choices])
        return int(choices[best]), "chance"

    return chosen


class Ranked(queue.Ranking):
    """A ranking that knows the chance that the partner is in the grid, without the gain."""

    chance: np.ndarray


def ranked(x: np.ndarray, y: np.ndarray, free: np.ndarray, *, seed: int = 0) -> Ranked:
    cosines = y @ x[free].T
    weights = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / 0.1)
    every, best = weights.sum(axis=1), np.partition(weights, -queue.GRID, axis=1)
    chance = best[:, -queue.GRID :].sum(axis=1) / every
    found = Ranked(x, y, chance * (1 - 1 / every), queue.clusters(y, seed=seed))
    found.chance = chance
    return found


def reviewed(
    x: np.ndarray, y: np.ndarray, draw: int, start: int, order: str, *, most: int
) -> Iterator[dict]:
    queue.ranked, queue.next_item = ranked, next_item(order)
    shuffled = np.random.default_rng(draw).permutation(len(x))
    given, out = shuffled[:start], shuffled[-min(most, len(x) // 5) :]
    ids = np.array([f"i{i}" for i in range(len(x))])
    of_x, kept = Collection(x, ids), np.setdiff1d(np.arange(len(x)), out)
    of_y = Collection(y[kept], ids[kept])
    fit = refit.prepare(of_x, Collection(y, ids), "gentle_transport")
    place = {id_: i for i, id_ in enumerate(of_x.items.tolist())}
    rows = np.array([place[id_] for id_ in of_y.items.tolist()])
    asked = {id_: i for i, id_ in enumerate(of_y.items.tolist())}
    known = [np.array([of[f"i{i}"] for i in given]) for of in (place, asked)]

    def embed(a: np.ndarray, b: np.ndarray, weight: np.ndarray):
        found = fit.embedded(a, rows[b], weight)
        return found[0], found[1][rows]

    with tempfile.TemporaryDirectory() as folder:
        pairs, own = pathlib.Path(folder) / "pairs.csv", fit.own()
        pairs.write_text("".join(f"i{i},i{i}\n" for i in given))
        begin = embed(*known, np.ones(start, np.float32))
        journal = Journal(pairs, of_x.items, of_y.items)
        settings = {"embed": embed, "own": (own[0], own[1][rows]), "background": False}
        session = Session(of_x, of_y, begin, journal, seed=draw, **settings)
        for screen in range(1, SCREENS[-1] + 1):
            question = session.question()
            partner = place[str(of_y.items[question.y])]
            found = partner in question.x
            session.answer(
                question.screen, "match" if found else "none", partner if found else None
            )
            if screen in SCREENS:
                a, b = session.pairs()
                both = fit.embedded(a, rows[b], np.ones(len(a), np.float32))
                told = {"draw": draw, "start": start, "order": order, "screens": screen}
                yield {**told, "pairs": len(a), **figures(*both, a, [place[ids[i]] for i in out])}
        session.close()


def figures(x: np.ndarray, y: np.ndarray, paired: np.ndarray, out: list[int]) -> dict:
    rest = np.setdiff1d(np.arange(len(x)), paired)
    right = np.sum((y[rest] @ x[rest].T).argmax(axis=1) == np.arange(len(rest)))
    own = np.sum(y[out] * x[out], axis=1)
    rank = np.sum(y[out] @ x[rest].T > own[:, None] + 1e-6, axis=1)
    return {"right": int(right), "recall": [float(np.mean(rank < top)) for top in (1, 5, 10)]}


if __name__ == "__main__":
    main()

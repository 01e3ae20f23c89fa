"""Aligners fitted to one source and applied to another: recall, and shares of atypical items.

    python benchmarks/other_sources.py --data=DATA --cache=CACHE --out=FILE

It takes fields of the few-pairs benchmark, whose sources are drawn apart, and seeds for choosing.
Writes JSON: recall, and accuracy of the label of the nearest five where there are labels, by pairs,
fitted and measured source and method, in the order of the seeds;
"also unmatched": with other items of the measured source among the unmatched ones.
"""

import argparse
import collections
import functools
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import jax  # noqa: E402
import numpy as np  # noqa: E402
from few_pairs import protocol, run  # noqa: E402

from gentle_clip_jax.aligners import Problem, align  # noqa: E402
from gentle_clip_jax.aligners.fitted_sample import FittedSample  # noqa: E402

TRANSFERS = {
    "rsicd": ("ucm-captions", "photographs"),
    "ucm-captions": ("rsicd", "photographs"),
    "photographs": ("rsicd", "ucm-captions", "emoji"),
    "emoji": ("icons",),
    "icons": ("emoji",),
    "abt-buy": ("amazon-google",),
    "amazon-google": ("abt-buy",),
}
PARTS = {"rsicd": "aerial_images", "ucm-captions": "aerial_images"}
PARTS |= {"abt-buy": "offers", "amazon-google": "offers"}  # sources that are a part of a field
METHODS, PAIRS, SEEDS, ALSO = ("cca", "gentle_transport"), (30, 150), (10, 11, 12), 150
MOST_TEST, MOST = 500, 2500  # items


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("data", "cache", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    args = parser.parse_args()
    load = functools.cache(lambda name: _source(name, args.data, args.cache))
    figures = collections.defaultdict(list)
    shares = {name: _shares(name, load) for name in TRANSFERS}
    for seed in SEEDS:
        for pairs in PAIRS:
            for name in TRANSFERS:
                for key, values in _figures(name, pairs, seed, load):
                    figures[" | ".join((str(pairs), *key))].append(values)
                args.out.write_text(json.dumps({"figures": figures, "atypical": shares}, indent=1))


def _source(name: str, data: pathlib.Path, cache: pathlib.Path) -> tuple:
    """Return features of x and of y, and labels or None."""
    field = PARTS.get(name, name)
    loaded = run.discover(run.HERE / "fields", [field])[field].load(data, cache)
    rows = np.array([field == name or str(id_).startswith(f"{name}/") for id_ in loaded.ids])
    return loaded.x[rows], loaded.y[rows], None if loaded.labels is None else loaded.labels[rows]


def _parts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the items to measure, and of those to fit to."""
    order, test = np.random.default_rng(0).permutation(count), min(MOST_TEST, count // 4)
    return order[:test], order[test:][:MOST]


def _figures(name: str, pairs: int, seed: int, load):
    x, y, _ = load(name)
    test, train = _parts(len(x))
    rng = np.random.default_rng(seed)
    matched, rest = np.split(rng.permutation(train), [pairs])
    measured = {name: test}
    for other in TRANSFERS[name]:  # galleries of one size
        measured[other] = np.random.default_rng(0).permutation(len(load(other)[0]))[: len(test)]
    unmatched = x[rng.permutation(rest)], y[rng.permutation(rest)]
    for method in METHODS:
        aligner = align(
            Problem(x[matched], y[matched], *unmatched), method, key=jax.random.key(seed)
        )
        for other, items in measured.items():
            yield (name, other, method), _measured(aligner, load(other), items)
    if pairs == ALSO:
        for other in TRANSFERS[name]:
            yield from _also_unmatched(name, other, (matched, rest), len(test), seed, load)


def _also_unmatched(name, other, parts, size: int, seed: int, load):
    (x, y, _), (other_x, other_y, _), (matched, rest) = load(name), load(other), parts
    order = np.random.default_rng(0).permutation(len(other_x))
    items, more = order[:size], order[size:][:MOST]
    rng = np.random.default_rng(seed)
    unmatched_x = np.concatenate([x[rest], other_x[more]])
    unmatched_y = np.concatenate([y[rest], other_y[more]])
    shuffled = (some[rng.permutation(len(some))] for some in (unmatched_x, unmatched_y))
    problem = Problem(x[matched], y[matched], *shuffled)
    for method in METHODS:
        aligner = align(problem, method, key=jax.random.key(seed))
        yield (name, other, f"{method}, also unmatched"), _measured(aligner, load(other), items)


def _measured(aligner, source, items: np.ndarray) -> list[float]:
    x, y, labels = source
    labels = None if labels is None else labels[items]
    figures = protocol.metrics(aligner.embed_x(x[items]), aligner.embed_y(y[items]), labels)
    return [round(figures[key], 3) for key in ("recall", "label_5") if key in figures]


def _shares(name: str, load) -> dict[str, list[float]]:
    """Return the shares of atypical items of x and of y, by their source."""
    test, train = _parts(len(load(name)[0]))
    x, y = (rows[train] for rows in load(name)[:2])
    problem = Problem(x[:2], y[:2], x[2:], y[2:])
    aligner, shares = align(problem, "procrustes"), collections.defaultdict(list)
    for side, by in (("x", aligner.x), ("y", aligner.y)):
        sample = FittedSample.of(problem, side, by)
        for other in (name, *TRANSFERS[name]):
            rows = load(other)[side == "y"]
            items = test if other == name else np.random.default_rng(0).permutation(len(rows))
            shares[other].append(round(sample.share_atypical(rows[items[: len(test)]], by), 3))
    return shares


if __name__ == "__main__":
    main()

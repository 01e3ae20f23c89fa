"""What pages are made of in tests: a comparison, a diagnosis and matches, all made up."""

import jax
import numpy as np

from gentle_clip_jax.aligners import METHODS as FITS
from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.diagnosing import finding
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.page import Named, matches_page
from gentle_clip_jax.pages.items import Card

METHODS = [("cca", "shrinkage CCA", False), ("clip", "CLIP | heads", False)]
METHODS += [("gentle", "gentle <transport>", True)]
MEANS = {  # zero-shot, i2t, t2i; seeds add -0.01, 0, 0.01
    ("cca", 104): (0.385, 0.184, 0.156),
    ("clip", 104): (0.326, 0.184, 0.122),
    ("gentle", 104): (0.435, 0.205, 0.160),
    ("cca", 1041): (0.566, 0.371, 0.292),
    ("clip", 1041): (0.498, 0.323, 0.278),
    ("gentle", 1041): (0.568, 0.372, 0.290),
    ("cca", 10414): (0.629, 0.436, 0.338),
    ("clip", 10414): (0.618, 0.410, 0.336),
}


def run(method, pairs, seed):
    zero_shot, i2t, t2i = (mean + 0.01 * (seed - 1) for mean in MEANS[method, pairs])
    metrics = {"zero_shot": zero_shot, "i2t": i2t, "t2i": t2i, "i2t_strict": i2t - 0.02}
    metrics |= {"zero_shot/rsicd": zero_shot + 0.1, "i2t/rsicd": i2t, "i2t/ucm": i2t + 0.05}
    return {
        "method": method,
        "pairs": pairs,
        "fraction": pairs / 10414,
        "seed": seed,
        "seconds": 1.25 + seed,
        "metrics": metrics,
    }


def comparison():
    """What results.json holds: three methods, three numbers of pairs, three seeds."""

    def difference(method, metric, value):
        ends = {"value": value, "low": value - 0.02, "high": value + 0.02}
        return {"method": method, "pairs": 104, "against": "cca", "metric": metric} | ends

    return {
        "title": "Remote sensing",
        "command": "gentle-clip compare --workdir=runs/rs",
        "machine": {"cpus": 2, "processor": "Some CPU", "python": "3.11.7", "jax": "0.10.2"},
        "unmatched": "disjoint",
        "num_items": 10414,
        "methods": [
            {"name": name, "label": label, "unmatched": unmatched, "trained": False}
            for name, label, unmatched in METHODS
        ],
        "runs": [run(*key, seed) for key in MEANS for seed in range(3)],
        "differences": [
            difference("gentle", "zero_shot", 0.05),
            difference("gentle", "i2t", 0.01),
            difference("clip", "zero_shot", -0.059),
        ],
    }


def diagnosis():
    """One finding of each level, one picture of each kind, and ids that need escaping."""
    rows = np.random.default_rng(0).normal(size=(20, 4))
    pictures = (
        finding.histogram("Null", "value", rows[:, 0], {"here": 9.0}),
        finding.bars("Shares", {"x": 0.5, "y": 0.25}, {"x": 0.1}, full=1.0),
        finding.scatter("Sets", rows, rows + 1),
    )
    suspects = {"suspects": [{"x": "<b>", "y": "y&1", "strangeness": 0.9}]}
    findings = [
        finding.Finding("a", "First <one>", "1.0", "0.5", "It is.", "good", {}, pictures),
        finding.Finding("b", "Second", "2.0", "", "Not so.", "warning", suspects, pictures[:1]),
        finding.Finding("c", "Third", "3.0", "", "No.", "bad", {}, [finding.bars("One", {"x": 1})]),
        finding.unknown("d", "Fourth", "It needs more."),
    ]
    side = {"rows": 9, "items": 1234, "dimensions": 4, "unmatched": 1200, "unmatched_used": 800}
    return {
        "seed": 0,
        "counts": {"x": side, "y": side, "pairs": 34, "pairs_used": 30},
        "verdict": {
            "unmatched_data": "unlikely",
            "because": "x < y.",
            "no_pairs": "hopeless",
            "no_pairs_because": "guessing.",
        },
        "findings": [one._asdict() for one in findings],
    }


ITEMS, PAIRS = 160, 64


class Items:
    """A side whose items have hostile names, and texts or pictures."""

    def __init__(self, side):
        self.items = np.array([f"<{side}{number}>" for number in range(ITEMS)])
        self.picture = b"\xff\xd8" if side == "x" else None

    def previews(self, ids):
        return {one: Card(one, text=f"text of {one}", picture=self.picture) for one in ids}


def matches(num_pairs=PAIRS, **settings):
    """Of two noisy views of the same hidden vectors."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(ITEMS, 6))
    x, y = (
        (hidden @ rng.normal(size=(6, d)) + 0.5 * rng.normal(size=(ITEMS, d))).astype(np.float32)
        for d in (12, 10)
    )
    problem = Problem(x[:PAIRS], y[:PAIRS], x[PAIRS:], y[PAIRS:])
    aligner = FITS["procrustes"].fit(problem, jax.random.key(0))
    known = np.stack([np.arange(num_pairs)] * 2, axis=1)
    return match_arrays(aligner, x, y, pairs=known, **{"share": 0.8, **settings})


def page_of(found, pairs="pairs.csv"):
    """The page of such matches."""
    x, y = Named(Items("x"), "photo", "my x.npz"), Named(Items("y"), "word", "y.npz")
    return matches_page(found, x, y, aligner="aligner", pairs=pairs)

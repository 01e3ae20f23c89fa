"""What pages are made of in tests: a comparison, a diagnosis and matches, all made up."""

import numpy as np

from gentle_clip_jax.aligners import METHODS as FITS
from gentle_clip_jax.aligners import Problem
from gentle_clip_jax.diagnosing import finding
from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.matching.page import Named, matches_page
from gentle_clip_jax.pages.items import Card


def comparison():
    """What comparison.json holds: a method with unmatched items, and two pairs-only ones."""

    def row(method, unmatched, recall, difference):
        ends = {"low": recall - 0.1, "high": recall + 0.1}
        gain = {"value": difference, "low": difference - 0.1, "high": difference + 0.1}
        gain |= {"verdict": "too early", "pairs_needed": 70, "against": "cca"}
        at = {"1": recall - 0.1, "5": recall, "10": recall + 0.1}
        return {
            "method": method,
            "label": method,
            "unmatched": unmatched,
            "recall": {"value": recall, **ends, "at": at},
            "difference": gain if difference else None,
            "from_chosen": None if unmatched else "alike",
        }

    rows = [
        row("gentle_transport", True, 0.45, 0.05),
        row("cca", False, 0.4, 0),
        row("ridge", False, 0.3, -0.1),
    ]
    unmatched = {**rows[0]["difference"], "method": "gentle_transport"}
    figures = {"recall": rows[0]["recall"], "among": 100, "splits": 20, "chance": 0.05}
    return {
        "modalities": ["image", "text"],
        "seed": 0,
        "counts": {"pairs": 60, "unmatched_x": 900, "unmatched_y": 800},
        "splits": 20,
        "fitted": 48,
        "among": 100,
        "chance": 0.05,
        "align": {
            "method": "gentle_transport",
            "fitted_on": {"pairs": 60},
            "expected": {**figures, "unmatched": unmatched},
        },
        "methods": rows,
        "machine": {"cpus": 2, "processor": "Some CPU"},
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
            "constant": (),
        },
        "findings": [one._asdict() for one in findings],
    }


ITEMS, PAIRS = 160, 64


class Items:
    """A side whose items have hostile names, and texts or pictures."""

    def __init__(self, side):
        self.items = np.array([f"<{side}{number}>" for number in range(ITEMS)])
        self.picture = b"\xff\xd8" if side == "x" else None

    def previews(self, ids, *, pixels=320):
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
    aligner = FITS["procrustes"].fit(problem)
    known = np.stack([np.arange(num_pairs)] * 2, axis=1)
    return match_arrays(aligner, x, y, pairs=known, **{"share": 0.8, **settings})


def page_of(found, pairs="pairs.csv", **settings):
    """The page of such matches."""
    x, y = Named(Items("x"), "photo", "my x.npz"), Named(Items("y"), "word", "y.npz")
    return matches_page(found, x, y, aligner="aligner", pairs=pairs, **settings)

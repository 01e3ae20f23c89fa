"""align, diagnose and compare give the same verdict and the same figures on the same pairs."""

import numpy as np
import pytest

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.comparing import compare
from gentle_clip_jax.diagnosing import diagnose

pytestmark = pytest.mark.slow


def problem(num_pairs, *, noise, within, shifted=False):
    """Noisy views of points around centres; shifted: unmatched items of y have other centres."""
    rng = np.random.default_rng(0)
    number = num_pairs + 200
    centres = rng.normal(size=(12, 8))
    kind = rng.integers(12, size=number)
    latent = centres[kind] + within * rng.normal(size=(number, 8))
    to_x, to_y = (rng.normal(size=(8, width)) for width in (80, 70))
    of_y = latent.copy()
    if shifted:
        others = 2 * rng.normal(size=(12, 8))
        of_y[num_pairs:] = others[kind[num_pairs:]] + within * rng.normal(size=(200, 8))
    x = latent @ to_x + noise * rng.normal(size=(number, 80))
    y = of_y @ to_y + noise * rng.normal(size=(number, 70))
    # Unmatched items stand in another order, so that equal rows are no partners.
    order = np.r_[:num_pairs, num_pairs + rng.permutation(200)]
    x, y = x.astype(np.float32), y[order].astype(np.float32)
    return x, y, np.stack([np.arange(num_pairs)] * 2, axis=1)


HELP = problem(30, noise=5.0, within=0.3)
DO_NOT = problem(60, noise=2.0, within=1.0, shifted=True)


@pytest.mark.parametrize(
    ("items", "help_"), [(HELP, True), (DO_NOT, False)], ids=["unmatched items help", "do not"]
)
def test_the_verdict_is_the_same(items, help_, tmp_path):
    x, y, pairs = items
    aligner = align(x, y, pairs)
    stated = aligner.metadata["expected"]
    assert (stated["unmatched"]["value"] > 0.05) == help_
    for given in (None, aligner):  # without an aligner the same folds are evaluated anew
        known = {"pairs": pairs} if given is None else {"aligner": given}
        comparison = compare(x, y, workdir=tmp_path, methods=["cca", "gentle_transport"], **known)
        diagnosis = diagnose(x, y, **known)
        for metadata in (comparison.metadata["align"], diagnosis.metadata["held_out"]):
            assert metadata["method"] == aligner.metadata["method"]
            assert metadata["expected"] == stated
        assert comparison.verdict == stated["unmatched"]["verdict"]
        assert aligner.summary[0] in comparison.summary[0]  # one measure, beside chance
        assert comparison.summary[1] == diagnosis.summary[0] == aligner.summary[-1]
        rows = {row["method"]: row for row in comparison.metadata["methods"]}
        if {stated["unmatched"][name] for name in ("method", "against")} <= rows.keys():
            chosen = rows[stated["unmatched"]["method"]]["difference"]
            assert chosen["value"] == stated["unmatched"]["value"]


def test_another_seed_of_the_aligner_is_used(tmp_path):
    x, y, pairs = problem(12, noise=5.0, within=0.3)
    aligner = align(x, y, pairs, seed=3, out=tmp_path / "aligner")
    comparison = compare(x, y, aligner=tmp_path / "aligner", methods=["cca"])
    assert comparison.metadata["seed"] == 3
    assert comparison.metadata["align"]["expected"] == aligner.metadata["expected"]
    assert (
        diagnose(x, y, aligner=aligner).metadata["held_out"]["expected"]
        == aligner.metadata["expected"]
    )

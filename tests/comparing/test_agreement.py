"""align, diagnose and compare give the same verdict and the same figures on the same pairs."""

import numpy as np
import pytest

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.comparing import compare
from gentle_clip_jax.diagnosing import diagnose

pytestmark = pytest.mark.slow
NUM_PAIRS, WITHIN, NOISE = 60, 0.6, 4.0


def problem(num_pairs, *, shifted):
    """Noisy views of points around centres; shifted: unmatched items of y have other centres."""
    rng = np.random.default_rng(0)
    number = num_pairs + 200
    centres, others = rng.normal(size=(12, 8)), 2 * rng.normal(size=(12, 8))
    kind = rng.integers(12, size=number)
    latent = centres[kind] + WITHIN * rng.normal(size=(number, 8))
    of_y = latent.copy()
    if shifted:
        of_y[num_pairs:] = others[kind[num_pairs:]] + WITHIN * rng.normal(size=(200, 8))
    views = [
        rows @ rng.normal(size=(8, width)) + NOISE * rng.normal(size=(number, width))
        for rows, width in ((latent, 80), (of_y, 70))
    ]
    # Unmatched items stand in another order, so that equal rows are no partners.
    order = np.r_[:num_pairs, num_pairs + rng.permutation(200)]
    x, y = views[0].astype(np.float32), views[1][order].astype(np.float32)
    return x, y, np.stack([np.arange(num_pairs)] * 2, axis=1)


@pytest.mark.parametrize("shifted", [False, True], ids=["unmatched items help", "they do not"])
def test_the_verdict_is_the_same(shifted, tmp_path):
    x, y, pairs = problem(NUM_PAIRS, shifted=shifted)
    aligner = align(x, y, pairs)
    stated = aligner.about["expected"]
    assert (stated["unmatched"]["verdict"] == "helped") != shifted
    for given in (None, aligner):  # without an aligner the same folds are evaluated anew
        known = {"pairs": pairs} if given is None else {"aligner": given}
        comparison = compare(x, y, workdir=tmp_path, methods=["cca", "gentle_transport"], **known)
        diagnosis = diagnose(x, y, **known)
        for about in (comparison.about["align"], diagnosis.about["held_out"]):
            assert about["method"] == aligner.about["method"]
            assert about["expected"] == stated
        assert comparison.verdict == stated["unmatched"]["verdict"]
        assert comparison.summary[0] == diagnosis.summary[0] == aligner.summary[2]
        rows = {row["method"]: row for row in comparison.about["methods"]}
        chosen = rows[stated["unmatched"]["method"]]["difference"]
        if stated["unmatched"]["against"] in rows:
            assert chosen["value"] == stated["unmatched"]["value"]


def test_another_seed_of_the_aligner_is_used(tmp_path):
    x, y, pairs = problem(12, shifted=False)
    aligner = align(x, y, pairs, seed=3, out=tmp_path / "aligner")
    comparison = compare(x, y, aligner=tmp_path / "aligner", methods=["cca"])
    assert comparison.about["seed"] == 3
    assert comparison.about["align"]["expected"] == aligner.about["expected"]
    assert (
        diagnose(x, y, aligner=aligner).about["held_out"]["expected"] == aligner.about["expected"]
    )

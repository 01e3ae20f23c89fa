"""Where rows have labels, a comparison says how single cells are integrated."""

import numpy as np
import pytest

from gentle_clip_jax.commands import main
from gentle_clip_jax.comparing import pool
from gentle_clip_jax.comparing.measure import score, summarize
from gentle_clip_jax.evaluation import foscttm, label_transfer
from gentle_clip_jax.features.collection import Collection


class Same:
    embed_x = embed_y = staticmethod(lambda rows: rows)


def sides(rng, num=30):
    kinds = rng.integers(0, 3, num)
    centres = 3 * rng.normal(size=(3, 4))
    x = centres[kinds] + rng.normal(size=(num, 4))
    y = x + 0.3 * rng.normal(size=x.shape)
    labels = np.array(["T", "B", ""])[kinds]
    return x, y, labels, np.array([f"c{i}" for i in range(num)])


def test_scores_are_those_of_the_held_out_cells():
    x, y, labels, ids = sides(np.random.default_rng(0))
    given = (Collection(rows, ids, labels=labels) for rows in (x, y))
    drawn = pool.own_pool(*given, np.array([ids[:24], ids[:24]]).T, seed=1)
    asked = drawn.retrieval[pool.OWN]
    own = score(Same(), drawn)
    order = np.argsort(asked.x_ids[np.isin(asked.x_ids, asked.y_ids)])
    of_x, of_y = (
        rows[np.isin(mine, others)][order]
        for rows, mine, others in (
            (asked.x, asked.x_ids, asked.y_ids),
            (asked.y, asked.y_ids, asked.x_ids),
        )
    )
    np.testing.assert_allclose(own[f"one_minus_foscttm/{pool.OWN}"], 1 - foscttm(of_x, of_y))
    (lx, ly), known = asked.labels, [kinds != "" for kinds in asked.labels]
    expected = label_transfer(asked.x[known[0]], asked.y[known[1]], lx[known[0]], ly[known[1]])
    np.testing.assert_array_equal(own[f"label_transfer/{pool.OWN}"], expected)
    assert summarize(own)["label_transfer"] == expected.mean()


@pytest.mark.parametrize("labelled", ["x", ""])
def test_labels_of_both_sides_are_needed(labelled):
    x, y, labels, ids = sides(np.random.default_rng(0))
    given = (
        Collection(rows, ids, labels=labels if side in labelled else None)
        for side, rows in (("x", x), ("y", y))
    )
    drawn = pool.own_pool(*given, np.array([ids[:24], ids[:24]]).T, seed=1)
    assert {name.partition("/")[0] for name in score(Same(), drawn)} == {"i2t", "t2i"}


def test_the_page_explains_them(tmp_path, capsys):
    x, y, labels, ids = sides(np.random.default_rng(0), num=60)
    for name, rows in (("rna", x), ("atac", y)):
        np.savez(tmp_path / f"{name}.npz", features=rows, ids=ids, labels=labels)
    options = f"--x={tmp_path}/rna.npz", f"--y={tmp_path}/atac.npz", f"--workdir={tmp_path}/w"
    code = main.main(["compare", *options, "--methods=cca", "--seeds=1"])
    assert code == 0, capsys.readouterr().err
    page = (tmp_path / "w" / "comparison.md").read_text()
    assert "label transfer" in page
    assert "One minus FOSCTTM: how many atac are no closer to a rna than its own" in page
    assert "Strict: the" not in page

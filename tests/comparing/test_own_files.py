"""Comparisons of one's own files: what cannot be learned, and what is too much."""

import numpy as np
import pytest

from gentle_clip_jax.comparing import sources
from gentle_clip_jax.features.collection import Collection

RNG = np.random.default_rng(0)


def write(folder, name, features):
    ids = np.array([f"i{k}" for k in range(len(features))])
    np.savez(folder / f"{name}.npz", features=features, ids=ids)
    return folder / f"{name}.npz"


@pytest.mark.parametrize("value", [0.0, 5.0, 1e-40])
@pytest.mark.parametrize("side", "xy")
def test_constant_features_teach_nothing(value, side, tmp_path):
    rows = {name: RNG.normal(size=(20, 4)) for name in "xy"} | {side: np.full((20, 3), value)}
    x, y = (write(tmp_path, name, rows[name]) for name in "xy")
    said = rf"All rows of .*{side}\.npz are the same, so that nothing can be learned"
    with pytest.raises(ValueError, match=said):
        sources.compare(x, y, None, tmp_path / "w", methods=["cca"])
    assert not (tmp_path / "w").exists()


def test_more_items_than_can_be_compared_are_drawn(monkeypatch, capsys):
    monkeypatch.setattr(sources, "MOST_ITEMS", 10)
    ids = np.array([f"i{k}" for k in range(60)])
    x = Collection(RNG.normal(size=(60, 4)), ids)
    y = Collection(RNG.normal(size=(120, 3)), np.repeat(ids, 2))
    pairs = np.array([ids[:20], ids[:20]]).T
    of_x, of_y, kept = sources._drawn(x, y, pairs)
    assert len(kept) == 10
    assert len(of_x.ids) == 20  # ten pairs and ten others
    assert len(of_y.ids) == 40
    assert {*kept[:, 0]} <= {*of_x.ids}
    dropped = {*pairs[:, 0]} - {*kept[:, 0]}
    assert not dropped & {*of_x.ids}
    out = capsys.readouterr().out
    assert "10 of 20 pairs take part, drawn at random" in out
    assert "10 of 40 unmatched items of x take part" in out
    again = sources._drawn(x, y, pairs)
    np.testing.assert_array_equal(again[0].ids, of_x.ids)


def test_fewer_are_all_there(capsys):
    ids = np.array([f"i{k}" for k in range(60)])
    x = Collection(RNG.normal(size=(60, 4)), ids)
    pairs = np.array([ids[:20], ids[:20]]).T
    of_x, _, kept = sources._drawn(x, x, pairs)
    assert of_x is x
    assert kept is pairs
    assert not capsys.readouterr().out

"""From two files and some pairs to a saved aligner that says what to expect."""

import numpy as np
import pytest

from gentle_clip_jax import load
from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.aligners.sentences import sentences
from gentle_clip_jax.aligners.standardize import Standardizer
from gentle_clip_jax.features.read import read


@pytest.fixture
def sides(tmp_path):
    """50 items of each side that share three numbers; the partner of a7 is b7."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(50, 3))
    for name, width in (("x", 6), ("y", 5)):
        noise = 0.1 * rng.normal(size=(50, width))
        rows = (common @ rng.normal(size=(3, width)) + noise).astype(np.float32)
        ids = np.array([f"{'a' if name == 'x' else 'b'}{i}" for i in range(50)])
        np.savez(tmp_path / f"{name}.npz", features=rows, ids=ids)
    (tmp_path / "pairs.csv").write_text("".join(f"a{i},b{i}\n" for i in range(12)))
    return tmp_path


def fit(folder, pairs="pairs.csv", **keywords):
    files = (folder / name for name in ("x.npz", "y.npz", pairs))
    return align(*files, out=folder / "out", **keywords)


def test_it_is_saved_and_says_what_to_expect(sides):
    aligner = fit(sides, method="cca", modalities=("picture", "text"))
    metadata = load(sides / "out").metadata
    assert metadata == aligner.metadata
    assert metadata["modalities"] == ["picture", "text"]
    assert metadata["encoders"] == {"x": None, "y": None}
    assert [*metadata["sha256"]["x"]] == ["features", "ids"]
    assert metadata["fitted_on"]["pairs"] == 12
    expected = metadata["expected"]
    assert (expected["splits"], expected["among"]) == (20, 3 + 12)
    assert expected["unmatched"] is None
    assert expected["recall"]["low"] < expected["recall"]["value"] < expected["recall"]["high"]
    assert expected["recall"]["value"] > 1.2 * expected["chance"]
    assert sentences(metadata)[0].startswith("Of items that it has not seen, ")


def test_unmatched_items_are_compared_with_pairs_alone(sides):
    unmatched = fit(sides, method="gentle_transport").metadata["expected"]["unmatched"]
    assert unmatched["against"] in ("cca", "ridge")
    assert unmatched["low"] <= unmatched["value"] <= unmatched["high"]


def test_methods_that_are_fitted_as_they_are(sides):
    expected = fit(sides, method="procrustes").metadata["expected"]
    assert expected["unmatched"] is None
    assert expected["recall"]["value"] > expected["chance"]


def test_the_same_call_gives_the_same(sides):
    first, again = (fit(sides, method="ridge", seed=3).metadata for _ in range(2))
    assert first == again


def test_features_are_standardised_once(sides, monkeypatch):
    calls, of = [], Standardizer.of
    monkeypatch.setattr(Standardizer, "of", lambda *groups: calls.append(0) or of(*groups))
    fit(sides, method="gentle_transport")
    assert len(calls) == 2


def test_too_few_pairs(sides, notices):
    (sides / "two.csv").write_text("Bild,Notiz\na1,b1\na2,b2\n")
    with pytest.raises(ValueError, match=r"too few pairs .*, 2 by .*two.csv: give 3 or more"):
        fit(sides, "two.csv")
    assert notices().count("taken as the heading") == 1  # the file is read once
    with pytest.raises(ValueError, match="named_transport needs the classes"):
        fit(sides, method="named_transport")
    with pytest.raises(ValueError, match="There is no method nothing"):
        fit(sides, method="nothing")


def test_items_of_several_rows(tmp_path):
    ids = np.array(["b", "a", "b"])
    np.savez(tmp_path / "x.npz", features=np.arange(6.0).reshape(3, 2), ids=ids)
    side = read(tmp_path / "x.npz")
    assert side.items.tolist() == ["b", "a"]
    assert side.data is None
    np.testing.assert_array_equal(side.of_items(["a", "b"]), [[[2, 3], [2, 3]], [[0, 1], [4, 5]]])

"""Query smoothing: values, invariances, and queries and items that stay as they are."""

import types

import numpy as np
import pytest

from gentle_clip_jax.aligners import Aligner, Problem, load
from gentle_clip_jax.aligners.from_collections import align as align_collections
from gentle_clip_jax.aligners.query_smoothing import QuerySmoothing
from gentle_clip_jax.aligners.standardize import standardized
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.searching.encoder import QueryEncoder
from gentle_clip_jax.searching.opened import opened_of
from gentle_clip_jax.searching.search import Searcher

ITEMS, PAIRS = 310, 12


def sides():
    """Features of x, and of three texts of each item in a few groups."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(9, 6))[rng.integers(9, size=ITEMS)] + 0.4 * rng.normal(
        size=(ITEMS, 6)
    )
    x = np.float32(latent @ rng.normal(size=(6, 7)))
    texts = latent[:, None] + 0.5 * rng.normal(size=(ITEMS, 3, 6))
    return x, np.float32(5 + texts @ rng.normal(size=(6, 8)))


def problem(turn=lambda texts: texts):
    x, y = sides()
    return Problem(x[:PAIRS], turn(y[:PAIRS]), x[PAIRS:], turn(y[PAIRS:]))


def queries():
    rng = np.random.default_rng(1)
    return np.float32(5 + 4 * rng.normal(size=(10, 8)))


def reference(rows, weight=None, centre=None):
    """Query smoothing in float64 by loops."""
    texts = sides()[1].astype(np.float64)
    mean = texts.reshape(-1, 8).mean(axis=0)
    means = texts.mean(axis=1) - mean

    def cosines(q, among):
        return np.array([q @ t / np.linalg.norm(q) / np.linalg.norm(t) for t in among])

    fitted = QuerySmoothing.of(problem(), "y")
    result = []
    for row in rows.astype(np.float64):
        q = row - (mean if centre is None else centre)
        near = cosines(q, means)
        nearest = sorted(range(ITEMS), key=lambda j: -near[j])[:100]
        shares = np.exp(near[nearest] / 0.1) / np.exp(near[nearest] / 0.1).sum()
        d = sum(s * means[j] for s, j in zip(shares, nearest))
        d *= np.linalg.norm(q) / np.linalg.norm(d)
        typical = np.mean(near[nearest])
        w = (fitted.median - typical) / (fitted.median - fitted.low)
        w = 0.75 * min(max(w, 0), 1) if weight is None else weight
        result.append((1 - w) * q + w * d + mean)
    return np.array(result)


def unfitted(**texts):
    """An aligner that only standardises, which is all that queries need."""
    x, y, *_ = standardized(problem())
    return Aligner(x, y, lambda rows: rows, texts=texts)


@pytest.fixture(scope="module")
def aligner():
    return unfitted(y=QuerySmoothing.of(problem(), "y"))


def test_queries_equal_the_formula(aligner):
    rows = queries()
    smoothed = aligner.smooth_queries_y(rows)
    assert np.abs(smoothed - reference(rows)).max() < 5e-3  # of texts in float16
    moved = np.abs(smoothed - rows).max(axis=1)
    assert moved.max() > 1


def test_classes_are_centred_by_their_own_mean(aligner):
    rows = queries()
    centre = rows.mean(axis=0, dtype=np.float64)
    expected = reference(rows, weight=0.25, centre=centre)
    assert np.abs(aligner.smooth_queries_y(rows, classes=True) - expected).max() < 5e-3
    shifted = aligner.smooth_queries_y(rows + 7, classes=True)
    np.testing.assert_allclose(shifted, expected, atol=5e-3)


def test_quantiles_are_those_of_texts_among_other_items():
    texts = sides()[1].astype(np.float64)
    mean = texts.reshape(-1, 8).mean(axis=0)
    means = texts.mean(axis=1) - mean
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    typical = []
    for i, k in np.ndindex(ITEMS, 3):
        q = texts[i, k] - mean
        near = np.delete(unit @ q / np.linalg.norm(q), i)
        typical.append(np.sort(near)[-100:].mean())
    fitted = QuerySmoothing.of(problem(), "y")
    # One text of each item is sampled.
    assert np.quantile(typical, 0.02) < fitted.low < np.quantile(typical, 0.10)
    assert np.quantile(typical, 0.42) < fitted.median < np.quantile(typical, 0.58)


def test_a_typical_text_stays_as_it_is(aligner):
    fitted = aligner.texts["y"]
    typical = np.float32(fitted.mean + 9 * np.asarray(fitted.texts, float)[:20])
    kept = [np.allclose(a, b) for a, b in zip(aligner.smooth_queries_y(typical), typical)]
    assert sum(kept) > 10


def test_shift_scale_and_rotation_of_the_features_turn_the_result_alike(aligner):
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(8, 8)))

    def turned(rows):
        return np.float32(3 * (rows @ turn) - 2)

    other = QuerySmoothing.of(problem(turned), "y")
    assert other.low == pytest.approx(aligner.texts["y"].low, abs=1e-3)
    rows = queries()
    expected = turned(aligner.smooth_queries_y(rows))
    found = other.moved(turned(rows) - other.mean) + other.mean
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_without_texts_nothing_moves():
    plain, (x, y) = unfitted(), sides()
    assert plain.texts == {}
    np.testing.assert_array_equal(plain.smooth_queries_y(y[:, 0]), y[:, 0])
    np.testing.assert_array_equal(plain.smooth_queries_x(x), x)
    classes = plain.smooth_queries_y(queries(), classes=True)
    np.testing.assert_allclose(classes.mean(axis=0), plain.y.mean, atol=1e-5)


def test_wrong_queries_are_refused(aligner):
    with pytest.raises(ValueError, match=r"y must be \[n, 8\]"):
        aligner.smooth_queries_y(np.ones((2, 7)))
    with pytest.raises(ValueError, match="not finite"):
        aligner.smooth_queries_y(np.full((2, 8), np.nan))
    with pytest.raises(ValueError, match="two classes or more, not 1"):
        aligner.smooth_queries_y(queries()[:1], classes=True)


def collections(texts):
    """Both modalities, with texts where asked; three rows an item of y."""
    x, y = sides()
    ids = np.array([f"i{n}" for n in range(ITEMS)])
    words = np.array(["text"] * ITEMS, object)
    of_x = Collection(x, ids, texts=words if "x" in texts else None)
    of_y = Collection(
        y.reshape(-1, 8), np.repeat(ids, 3), texts=np.repeat(words, 3) if "y" in texts else None
    )
    return of_x, of_y, np.stack([ids[:PAIRS]] * 2, axis=1)


@pytest.fixture(scope="module")
def of_two_texts():
    return align_collections(*collections("xy"), method="cca")


def test_either_modality_of_texts_is_kept_and_saved(of_two_texts, tmp_path):
    x, y = sides()
    assert of_two_texts.texts.keys() == {"x", "y"}
    of_two_texts.save(tmp_path)
    again = load(tmp_path)
    rows = queries()
    np.testing.assert_array_equal(again.smooth_queries_y(rows), of_two_texts.smooth_queries_y(rows))
    np.testing.assert_array_equal(
        again.smooth_queries_x(4 * x), of_two_texts.smooth_queries_x(4 * x)
    )
    assert again.texts["y"].texts.shape == (ITEMS, 8)
    assert np.asarray(again.texts["y"].texts).dtype == np.float16
    np.testing.assert_allclose(again.texts["y"].mean, y.reshape(-1, 8).mean(axis=0), atol=1e-5)


def test_numbers_and_few_texts_are_not_smoothed():
    x, y, pairs = collections("y")
    few = x.select([*x.items[:299]]), y.select([*y.items[:299]])
    rows = queries()
    aligner = align_collections(*few, pairs, method="cca")
    assert aligner.texts == {"y": None}
    np.testing.assert_array_equal(aligner.smooth_queries_y(rows), rows)


@pytest.mark.parametrize("gallery", ["x", "y"])
def test_words_are_smoothed_where_they_rank_the_other_modality(of_two_texts, gallery, monkeypatch):
    of, rows = collections("xy")["xy".index(gallery)], queries()[:1]
    opened = opened_of(of_two_texts)
    encoder = QueryEncoder("y", lambda words: rows, of_two_texts.smooth_queries_y)
    monkeypatch.setattr(opened.items, "word_encoder", lambda first: encoder)
    searcher = Searcher(opened, of, gallery)
    asks = of_two_texts.smooth_queries_y(rows) if gallery == "x" else rows
    ranked = searcher.ranked if gallery == "x" else searcher.rows
    expected = np.sort((ranked @ np.asarray(of_two_texts.embed_y(asks)).T).ravel())[-1]
    assert searcher.words("a word", 3)[0].score == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("role", "is_smoothed"), [("text", True), ("sequence", False)])
def test_an_encoder_of_words_smooths_them_but_not_sequences(
    of_two_texts, role, is_smoothed, monkeypatch
):
    loaded = types.SimpleNamespace(metadata={"weights_sha256": "0"}, role=role)
    made_by = {"encoder": "minilm", "role": role, "weights_sha256": "0"}
    aligner = of_two_texts.with_metadata({"encoders": {"x": None, "y": made_by}})
    load_encoder = "gentle_clip_jax.features.loading.load_encoder"
    monkeypatch.setattr(load_encoder, lambda *_, **__: loaded)
    role_of = "gentle_clip_jax.encoders.published.pretrained.role_of"
    monkeypatch.setattr(role_of, lambda *_: role)
    encoder = opened_of(aligner).items.word_encoder("y")
    rows = queries()
    assert (np.abs(encoder.smooth(rows) - rows).max() > 0.1) == is_smoothed

import jax
import numpy as np
import pytest

from gentle_clip_jax.evaluation import ranks, retrieval, retrieval_intervals, retrieval_metrics


def unit_rows(rng, n, d=16):
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow_ranks(queries, gallery, query_ids, gallery_ids):
    """One query at a time, in float64, as the definition reads."""
    found = []
    for query, query_id in zip(queries.astype(float), query_ids):
        scores = [(float(row @ query), gallery_ids[j]) for j, row in enumerate(gallery)]
        best = max(score for score, row_id in scores if row_id == query_id)
        found.append(1 + sum(r != query_id and s >= best - 1e-6 for s, r in scores))
    return np.array(found)


def metrics_of_ranks(monkeypatch, to_text, to_image):
    """The metrics where item i has these ranks, whatever the embeddings."""
    found = iter([np.array(to_text), np.array(to_image)])
    monkeypatch.setattr(retrieval, "ranks", lambda *args, **kwargs: next(found))
    ids = np.arange(len(to_text))
    unit = np.eye(len(ids))
    return retrieval_metrics(unit, unit, image_ids=ids, text_ids=ids)


@pytest.mark.parametrize("scores_per_block", [1, 500, 2**24])
def test_ranks_match_the_definition_at_any_block_size(monkeypatch, scores_per_block):
    monkeypatch.setattr(retrieval, "_SCORES_PER_BLOCK", scores_per_block)
    rng = np.random.default_rng(0)
    image, text = unit_rows(rng, 37), unit_rows(rng, 101)
    image_ids, text_ids = np.arange(37) % 30, np.arange(101) % 30
    expected = slow_ranks(image, text, image_ids, text_ids)
    actual = ranks(image, text, query_ids=image_ids, gallery_ids=text_ids)
    np.testing.assert_array_equal(actual, expected)
    assert np.unique(actual).size > 10


def test_any_row_of_the_id_is_a_hit_and_a_second_one_takes_no_rank():
    query = np.array([[1.0, 0.0]])
    gallery = np.array([[0.0, 1.0], [0.8, 0.6], [1.0, 0.0], [0.6, 0.8]])
    gallery_ids = ["a", "b", "b", "c"]
    assert ranks(query, gallery, query_ids=["b"], gallery_ids=gallery_ids) == [1]
    # Both rows of b are nearer than c and than a; only rows of other ids stand before c and a.
    assert ranks(query, gallery, query_ids=["c"], gallery_ids=gallery_ids) == [3]
    assert ranks(query, gallery, query_ids=["a"], gallery_ids=gallery_ids) == [4]


def test_the_nearest_row_of_an_item_is_its_hit():
    gallery = np.array([[0.5, 0.5], [1.0, 0.0], [0.9, 0.2]])
    assert ranks(np.array([[1.0, 0.0]]), gallery, query_ids=["b"], gallery_ids=list("bbc")) == [1]


def test_a_collapsed_model_scores_nothing():
    same = np.tile(unit_rows(np.random.default_rng(0), 1, 255), (333, 1))
    metrics = retrieval_metrics(same, same, image_ids=range(333), text_ids=range(333))
    assert metrics["mean_recall"] == 0
    assert metrics["i2t_median_rank"] == metrics["t2i_median_rank"] == 333


def test_a_nearly_collapsed_model_ties_up_to_rounding():
    point = unit_rows(np.random.default_rng(0), 1, 64)
    noise = 1e-8 * np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    metrics = retrieval_metrics(point + noise, point, image_ids=[0] * 50, text_ids=[0])
    assert metrics["i2t_r1"] == 1  # every row is a hit
    metrics = retrieval_metrics(
        point + noise, point + noise, image_ids=range(50), text_ids=range(50)
    )
    assert metrics["mean_recall"] == 0


def test_equal_rows_of_one_id_are_no_tie():
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(ranks(rows, rows, query_ids=[0, 0, 1], gallery_ids=[0, 0, 1]), 1)


def test_metrics_of_known_ranks(monkeypatch):
    metrics = metrics_of_ranks(monkeypatch, [1, 1, 2, 6], [1, 5, 10, 30])
    assert metrics == {
        "i2t_r1": 0.5,
        "i2t_r5": 0.75,
        "i2t_r10": 1.0,
        "t2i_r1": 0.25,
        "t2i_r5": 0.5,
        "t2i_r10": 0.75,
        "i2t_median_rank": 1.5,
        "t2i_median_rank": 7.5,
        "mean_recall": 3.75 / 6,
    }


def test_random_embeddings_score_at_chance():
    rng = np.random.default_rng(0)
    ids = np.arange(2000)
    metrics = retrieval_metrics(
        unit_rows(rng, 2000), unit_rows(rng, 2000), image_ids=ids, text_ids=ids
    )
    assert metrics["i2t_r10"] < 0.02
    assert metrics["t2i_median_rank"] == pytest.approx(1000, rel=0.1)


def test_scale_of_a_row_does_not_matter():
    rng = np.random.default_rng(0)
    image, text, ids = unit_rows(rng, 40), unit_rows(rng, 40), np.arange(40)
    scaled = text * rng.uniform(1e-3, 1e3, size=(40, 1)).astype(np.float32)
    plain = retrieval_metrics(image, text, image_ids=ids, text_ids=ids)
    assert retrieval_metrics(image, scaled, image_ids=ids, text_ids=ids) == plain


def test_order_of_the_gallery_does_not_matter():
    rng = np.random.default_rng(0)
    image, text, ids = unit_rows(rng, 40), unit_rows(rng, 40), np.arange(40) % 25
    order = rng.permutation(40)
    plain = retrieval_metrics(image, text, image_ids=ids, text_ids=ids)
    moved = retrieval_metrics(image, text[order], image_ids=ids, text_ids=ids[order])
    assert moved == pytest.approx(plain)


def test_bfloat16_and_jax_arrays():
    unit = jax.numpy.eye(12, dtype="bfloat16")
    metrics = retrieval_metrics(unit, unit, image_ids=np.arange(12), text_ids=np.arange(12))
    assert metrics["mean_recall"] == 1


def test_intervals_hold_the_metrics_and_depend_on_the_seed_alone():
    rng = np.random.default_rng(0)
    image = unit_rows(rng, 200)
    text = image + 1.5 * unit_rows(rng, 200)
    arguments = (image, text)
    ids = {"image_ids": np.arange(200), "text_ids": np.arange(200)}
    metrics = retrieval_metrics(*arguments, **ids)
    intervals = retrieval_intervals(*arguments, **ids)
    assert intervals.keys() == metrics.keys()
    for name, interval in intervals.items():
        assert interval["value"] == metrics[name]
        assert interval["low"] <= interval["value"] <= interval["high"]
    assert intervals["mean_recall"]["low"] < intervals["mean_recall"]["high"]
    assert retrieval_intervals(*arguments, **ids) == intervals
    assert retrieval_intervals(*arguments, **ids, seed=1) != intervals


def test_intervals_resample_items_not_rows():
    """Five equal captions an image carry no more than one: the interval must not shrink."""
    rng = np.random.default_rng(0)
    image = unit_rows(rng, 100)
    text = image + 0.9 * unit_rows(rng, 100)
    one = retrieval_intervals(image, text, image_ids=range(100), text_ids=range(100))
    five = retrieval_intervals(
        image, np.repeat(text, 5, 0), image_ids=range(100), text_ids=np.repeat(range(100), 5)
    )
    assert five["t2i_r1"] == pytest.approx(one["t2i_r1"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.full((3, 2), np.nan)}, "not finite"),
        ({"image_ids": [0, 1, 7]}, "1 queries have no row of their id in the gallery"),
        ({"image_ids": [0, 1]}, "one id a row"),
        ({"image": np.zeros((0, 2)), "image_ids": []}, "n >= 1"),
        ({"text": np.zeros(3)}, r"\[n, d\]"),
    ],
)
def test_bad_input_is_refused(change, message):
    good = {"image": np.ones((3, 2)), "text": np.ones((3, 2)), "image_ids": range(3)}
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(**{**good, "text_ids": range(3), **change})

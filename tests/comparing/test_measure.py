"""What a comparison makes of ranks, and whose pairs and whose held-out items a run has."""

import numpy as np
import pytest

from gentle_clip_jax import comparing
from gentle_clip_jax.aligners import METHODS, Problem
from gentle_clip_jax.aligners.methods import Method
from gentle_clip_jax.comparing import measure, verdicts
from gentle_clip_jax.comparing.pool import OWN, Pool, Retrieval, ZeroShot


class Plain:
    """Takes features as they are."""

    def embed_x(self, x):
        return x

    embed_y = embed_x


def test_a_score_is_the_mean_of_the_recalls_at_one_five_and_ten(monkeypatch):
    found = np.array([1, 2, 5, 6, 10, 11, 12])
    monkeypatch.setattr(measure, "ranks", lambda *_, **__: found)
    rows, ids = np.eye(7, dtype="f4"), np.arange(7).astype(str)
    pool = Pool(*(rows,) * 5, {"set": Retrieval(rows, ids, rows, ids)}, {})
    scores = measure.score(Plain(), pool)
    expected = [1, 2 / 3, 2 / 3, 1 / 3, 1 / 3, 0, 0]
    assert scores.keys() == {"i2t/set", "t2i/set"}
    for values in scores.values():
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert measure.summarize(scores)["i2t"] == pytest.approx(np.mean(expected))


def test_an_item_that_has_no_partner_is_a_wrong_answer_and_no_question():
    rows = np.eye(3, dtype="f4")
    x_ids, y_ids = np.array(["a", "b", "x alone"]), np.array(["b", "a", "y alone"])
    retrieval = {"set": Retrieval(rows, x_ids, rows[[1, 0, 0]], y_ids)}
    scores = measure.score(Plain(), Pool(*(rows,) * 5, retrieval, {}))
    # "y alone" lies where a's partner does, and ties count against a question.
    np.testing.assert_allclose(scores["i2t/set"], [2 / 3, 1], rtol=1e-6)
    np.testing.assert_allclose(scores["t2i/set"], [1, 1], rtol=1e-6)


def test_a_class_is_right_or_wrong_and_never_nearly_right():
    classes = np.float32([[1, 0], [0, 1], [-1, 0]])
    images = np.float32([[1, 0.1], [0.9, 1], [-1, 0.1]])
    zero_shot = {"set": ZeroShot(images, classes, np.array([0, 0, 2]))}
    scores = measure.score(Plain(), Pool(*(images,) * 5, {}, zero_shot))
    np.testing.assert_array_equal(scores["zero_shot/set"], [1, 0, 1])


def test_a_difference_is_ours_less_theirs():
    better, worse = {"i2t/a": np.ones(5)}, {"i2t/a": np.zeros(5)}
    assert measure.difference([better], [worse], "i2t")["value"] == 1


def numbered() -> Pool:
    """Items that tell their number, and no test."""
    x = np.arange(40.0, dtype="f4")[:, None, None] + np.zeros((1, 1, 3), "f4")
    return Pool(x, -x, np.repeat("all", 40), x[:0], x[:0], {}, {})


class Noting(Plain):
    """What it was fitted to, and of which seed's split it was asked."""

    def __init__(self, pairs: frozenset):
        self.pairs, self.asked = pairs, set()

    def embed_x(self, x):
        self.asked.add(int(x[0, 0]) - 1)
        return x


def test_a_run_has_the_pairs_and_the_held_out_items_of_its_own_seed(tmp_path, monkeypatch):
    fitted = []

    def fit(problem: Problem, key):
        fitted.append(Noting(frozenset(problem.x[:, 0, 0].tolist())))
        return fitted[-1]

    def split(seed):
        rows, ids = (1 + seed) * np.eye(4, dtype="f4"), np.array([f"pair {k}" for k in range(4)])
        pool, retrieval = numbered(), {OWN: Retrieval(rows, ids, rows, ids)}
        return pool._replace(x=pool.x + 100 * seed, retrieval=retrieval)

    monkeypatch.setitem(METHODS, "cca", Method("label", fit))
    plan = comparing.Plan(("cca",), (8,), (0, 1, 2))
    comparing.compare_pool(split(0), plan, tmp_path, title="", split=split)
    assert [one.asked for one in fitted] == [{0}, {1}, {2}]
    assert [{pair // 100 for pair in one.pairs} for one in fitted] == [{0}, {1}, {2}]
    assert len({frozenset(pair % 100 for pair in one.pairs) for one in fitted}) == 3


def test_chance_is_the_mean_of_one_five_and_ten_in_so_many():
    rng = np.random.default_rng(0)
    ids = np.array([f"pair {k}" for k in range(12)])
    made = [{"method": name, "pairs": 20, "seed": 0} for name in "ab"]
    scores = {name: {"i2t/own": rng.random(12), "t2i/own": rng.random(12)} for name in "ab"}
    (found,) = verdicts.verdicts(
        made,
        lambda run: scores[run["method"]],
        lambda seed: Retrieval(ids, ids, ids, ids),
        {"a": True, "b": False},
    )
    assert found["chance"] == pytest.approx((1 + 5 + 10) / 12 / 3)
    assert (found["method"], found["against"]) == ("a", "b")

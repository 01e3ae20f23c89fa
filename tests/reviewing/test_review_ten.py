"""The closest of ten different items: what it asks, and where its answers go and do not go."""

import csv

import numpy as np
import pytest
from review_items import NUMBER, latent, session, write_pairs

from gentle_clip_jax.reviewing import queue
from gentle_clip_jax.reviewing.progress import Progress, counts, estimate
from gentle_clip_jax.reviewing.show import Show
from gentle_clip_jax.reviewing.standing import NEAR_WEIGHT


def of_ten(tmp_path, **settings):
    review = session(write_pairs(tmp_path), **settings)
    review.switch("ten")
    return review


def near(review, place=0):
    question = review.question()
    return review.answer(question.screen, "near", question.x[place])


def test_the_ten_are_the_nearest_of_the_likeliest_groups():
    x, y = latent()
    free = np.ones(NUMBER, bool)
    free[:5] = False
    ranking, group = queue.ranked(x, y, free), queue.clusters(x)
    for item in range(0, NUMBER, 9):
        chosen = queue.ten(ranking, item, free, group)
        groups = group[chosen]
        assert len(set(groups.tolist())) == len(chosen) == 10
        assert free[chosen].all()
        mass = np.zeros(groups.max() + 1)
        for number in np.flatnonzero(free):
            if group[number] < len(mass):
                mass[group[number]] += np.exp(x[number] @ y[item] / 0.12)
        assert np.all(np.diff(mass[groups]) <= 1e-6)
        for number, of in zip(chosen, groups):
            same = free & (group == of)
            assert x[number] @ y[item] == pytest.approx((x[same] @ y[item]).max())


def test_close_ones_have_their_own_file_and_are_no_pairs(tmp_path):
    review = of_ten(tmp_path)
    before = (tmp_path / "pairs.csv").read_bytes()
    given = [near(review, place) for place in range(3)]
    assert len({answer.y for answer in given}) == 3
    assert (tmp_path / "pairs.csv").read_bytes() == before
    rows = list(
        csv.reader((tmp_path / "pairs.csv.review" / "near_pairs.csv").read_text().splitlines())
    )
    assert rows == [["x", "y"], *([answer.x, answer.y] for answer in given)]
    assert review.pairs()[0].tolist() == [0, 1]
    assert estimate(review) is None
    assert counts(review)["near"] == 3
    review.close()
    again = of_ten(tmp_path)
    assert again.answers() == given[::-1]
    while again.answers():
        again.undo()
    assert not (tmp_path / "pairs.csv.review" / "near_pairs.csv").exists()
    again.close()


def test_they_count_less_in_a_fit_until_their_item_has_a_partner(tmp_path):
    review = of_ten(tmp_path)
    given = near(review)
    of_x, of_y, weight = review.standing.fitted_to()
    assert weight.tolist() == pytest.approx([1, 1, NEAR_WEIGHT])
    assert (f"x{of_x[2]}", f"y{of_y[2]}") == (given.x, given.y)
    review.switch("grid")
    assert review.waiting()[0][of_y[2]]  # the grid still asks for its partner
    while (question := review.question()).y != of_y[2]:
        review.answer(question.screen, "unsure")
    review.answer(question.screen, "match", question.x[0])
    assert review.standing.fitted_to()[2].tolist() == [1, 1, 1]
    review.close()


def test_they_stay_out_of_held_out_figures(tmp_path):
    held_out, fits = [], []

    def embed(of_x, of_y, weight):
        fits.append((of_x, weight))
        return latent()

    pairs = b"".join(b"x%d,y%d\n" % (n, n) for n in range(12))
    high = '{"pairs": 9, "recall": 2, "low": 0, "high": 1}'
    for odd in ("[" * 9000, '[{"pairs": 1e400}]', f"[{high}]"):
        (tmp_path / "odd.json").write_text(odd)
        with pytest.raises(ValueError, match="is damaged: delete it"):
            Progress(embed, tmp_path / "odd.json")
    progress = Progress(embed, tmp_path / "curve.json")

    def measure(*told):
        held_out.append(told)
        progress.measure(*told)

    write_pairs(tmp_path, pairs)
    review = session(tmp_path / "pairs.csv", embed=embed, after_refit=measure)
    review.switch("ten")
    for _ in range(10):
        near(review)
    ((of_x, _, weight, known),) = held_out
    assert (len(of_x), known, int(np.sum(weight == 1))) == (22, 12, 12)
    assert [point.pairs for point in progress.points()] == [12]
    folds = fits[1:]
    assert all(np.sum(weight < 1) == 10 for _, weight in folds)
    assert [np.sum(weight == 1) for _, weight in folds] == [9] * 5
    review.close()


def test_a_partner_is_not_asked_for_among_ten_nor_the_closest_in_a_grid(tmp_path):
    review = of_ten(tmp_path)
    question = review.question()
    with pytest.raises(ValueError, match="An answer is"):
        review.answer(question.screen, "match", question.x[0])
    outside = next(n for n in range(2, NUMBER) if n not in question.x)
    with pytest.raises(ValueError, match="already has a partner"):
        review.answer(question.screen, "near", outside)
    review.switch("grid")
    question = review.question()
    with pytest.raises(ValueError, match="An answer is"):
        review.answer(question.screen, "near", question.x[0])
    assert not review.answers()
    review.close()


def test_an_undone_one_is_asked_again_among_ten(tmp_path):
    review = of_ten(tmp_path)
    first = review.question()
    near(review)
    near(review)
    review.undo(1)
    assert (review.question().y, review.question().sampling) == (first.y, "ten")
    review.close()


def test_the_end_of_ten_points_to_the_grid(tmp_path):
    review = of_ten(tmp_path, number=8)
    for _ in range(6):
        review.answer(review.question().screen, "none")
    assert review.question() is None
    assert Show(review).state()["message"].endswith("continue with the grid.")
    review.switch("grid")
    assert review.question() is not None
    review.close()

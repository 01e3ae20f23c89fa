import re

import numpy as np
import pytest
from synthetic_run import embeddings, unit_rows

from gentle_clip_jax.pages.plane import principal_plane
from gentle_clip_jax.report.gallery import gallery_section
from gentle_clip_jax.report.maps import map_section
from gentle_clip_jax.runs.read import Embeddings

IMAGES = ("image", "text")


def with_embeddings(x, y, names):
    arrays = embeddings(1.0, len(names)) | {"x": x, "y": y, "names": np.array(names)}
    return Embeddings(**arrays)


def test_the_plane_is_where_the_points_vary():
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(40, 2)) * [5, 2]
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    points = inside @ turn[:2] + 0.01 * rng.normal(size=(40, 8))
    x, y, share = principal_plane(points[:15], points[15:])
    assert share > 0.999
    plane = np.concatenate([x, y])
    distance = lambda rows: np.linalg.norm(rows[:, None] - rows[None], axis=-1)  # noqa: E731
    np.testing.assert_allclose(distance(plane), distance(inside), atol=0.1)


def test_a_modality_gap_is_the_first_axis():
    arrays = embeddings(1.0, 50)
    x, y, _ = principal_plane(arrays["x_initial"], arrays["y_initial"])
    assert x[:, 0].min() > y[:, 0].max() or x[:, 0].max() < y[:, 0].min()


@pytest.mark.parametrize("rows", [np.ones((3, 4)), np.ones((1, 4)), np.arange(3.0)[:, None]])
def test_flat_sets_have_a_plane(rows):
    x, y, share = principal_plane(rows, rows)
    assert x.shape == y.shape == (len(rows), 2)
    assert share == pytest.approx(1)


def test_a_perfect_model_finds_each_first():
    unit = np.eye(30, dtype=np.float32)
    html = gallery_section(with_embeddings(unit, unit, [f"item {i}" for i in range(30)]), IMAGES)
    assert html.count('class="right"') == 12 + 6
    assert html.count('<span class="rank">rank 1</span>') == 12


def test_a_collapsed_model_finds_nothing():
    same = np.tile(unit_rows(np.random.default_rng(0).normal(size=(1, 61))), (30, 1))
    html = gallery_section(with_embeddings(same, same, [f"item {i}" for i in range(30)]), IMAGES)
    assert html.count('class="right"') == 0
    assert html.count('<span class="rank">rank 30</span>') == 12


def test_equal_names_are_right():
    unit = unit_rows(np.random.default_rng(0).normal(size=(30, 8)))
    html = gallery_section(with_embeddings(unit, unit[::-1], ["same"] * 30), IMAGES)
    assert html.count('class="right"') == 5 * (12 + 6)


def test_a_right_answer_is_marked_by_a_sign_not_by_colour_alone():
    unit = np.eye(30, dtype=np.float32)
    html = gallery_section(with_embeddings(unit, unit, [f"item {i}" for i in range(30)]), IMAGES)
    right = re.findall(r'<li class="right">.*?</li>', html)
    assert all("✓" in item and "right</span>" in item for item in right)


def test_few_items_are_all_shown():
    unit = np.eye(2, dtype=np.float32)
    few = with_embeddings(unit, unit, ["a", "b"])
    assert gallery_section(few, IMAGES).count("<article") == 4
    assert map_section(few, IMAGES).count("<circle") == 4


def test_many_items_are_drawn_by_lot():
    rows = unit_rows(np.random.default_rng(0).normal(size=(2000, 4)))
    html = map_section(with_embeddings(rows, rows, [str(i) for i in range(2000)]), IMAGES)
    assert html.count("<circle") == 2 * 800
    assert "the same 800 held-out items" in html


def test_a_task_names_its_modalities():
    unit = np.eye(2, dtype=np.float32)
    two, names = with_embeddings(unit, unit, ["a", "b"]), ("RNA sequence", "fold <3>")
    html = gallery_section(two, names) + map_section(two, names)
    assert "<h3>RNA sequence to fold &lt;3&gt;: the five nearest</h3>" in html
    assert "<h3>Fold &lt;3&gt; to RNA sequence: the five nearest</h3>" in html
    assert '<i class="dot x"></i>RNA sequence</li>' in html
    assert not re.search("image|text|i2t|t2i", re.sub(r"<(img|svg|text)[^>]*>", "", html))

"""Each figure of a diagnosis, its verdict on cases made to fail, and the command."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest

from gentle_clip_jax import losses
from gentle_clip_jax.aligners.sentences import of_unmatched
from gentle_clip_jax.commands import main
from gentle_clip_jax.diagnosing import (
    diagnose,
    diagnosis_of,
    duplicates,
    maps,
    pair_noise,
    shift,
    two_sample,
)
from gentle_clip_jax.diagnosing.finding import histogram
from gentle_clip_jax.features.collection import Collection

NUM_CLUSTERS, NUM_ITEMS = 12, 600


def world(seed, n=NUM_ITEMS):
    """Two views x [n, 24] and y [n, 18] of items in twelve clusters, and the cluster of each."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    centers, to_x, to_y = (fixed.normal(size=shape) for shape in ((12, 5), (5, 24), (5, 18)))
    cluster = rng.integers(NUM_CLUSTERS, size=n)
    latent = 2 * centers[cluster] + 0.5 * rng.normal(size=(n, 5))
    x, y = (latent @ view + 0.3 * rng.normal(size=(n, view.shape[1])) for view in (to_x, to_y))
    return x.astype(np.float32), y.astype(np.float32), cluster


def case(name, *, pairs=100, seed=0):
    """Feature sets of the case and the ids of its pairs."""
    rng = np.random.default_rng(seed)
    x, y, cluster = world(seed)
    ids = np.array([f"item {i}" for i in range(len(x))])
    free = np.arange(len(x)) >= pairs
    keep_x, keep_y = np.ones_like(free), np.ones_like(free)
    if name == "disjoint":
        keep_x, keep_y = ~free | (np.arange(len(x)) % 2 == 0), ~free | (np.arange(len(x)) % 2 == 1)
    elif name == "other classes":
        keep_x, keep_y = ~free | (cluster < 6), ~free | (cluster >= 6)
    elif name == "shifted":
        y[free] += 3 * rng.normal(size=y.shape[1]).astype(np.float32)
    elif name == "noisy":
        wrong = wrong_pairs(pairs, seed)
        y[wrong] = y[np.roll(wrong, 1)]
    elif name == "unrelated":
        y = rng.permutation(y)
    else:
        assert name == "same"
    return (
        Collection(x[keep_x], ids[keep_x]),
        Collection(y[keep_y], ids[keep_y]),
        np.array([ids[:pairs], ids[:pairs]]).T,
    )


@functools.cache
def diagnosed(name):
    """The diagnosis of a case, made once."""
    return diagnosis_of(*case(name))


def wrong_pairs(pairs, seed):
    return np.random.default_rng([seed, 1]).permutation(pairs)[: round(0.3 * pairs)]


def numbers(diagnosis, name):
    (found,) = (finding for finding in diagnosis["findings"] if finding["name"] == name)
    return found["numbers"]


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("same", "likely", "no further apart"),
        ("disjoint", "likely", "no further apart"),
        ("other classes", "unlikely", "further apart than pairs"),
        ("shifted", "unlikely", "further apart than pairs"),
        ("noisy", "likely", "no further apart"),
        ("unrelated", "unlikely", "no relation"),
    ],
)
def test_cases_made_to_fail(name, expected, reason):
    verdict = diagnosed(name)["verdict"]
    assert verdict["unmatched_data"] == expected
    assert reason in verdict["because"]


def test_twelve_pairs_are_said_to_be_few():
    verdict = diagnosis_of(*case("same", pairs=12))["verdict"]
    assert verdict["unmatched_data"] == "unclear"
    assert "12 pairs" in verdict["because"]


def test_a_shift_of_one_modality_shows_with_twelve_pairs():
    diagnosis = diagnosis_of(*case("shifted", pairs=12))
    assert diagnosis["verdict"]["unmatched_data"] == "unlikely"
    assert "items of y are unlike" in diagnosis["verdict"]["because"]
    assert numbers(diagnosis, "shift_y")["auc"] > 0.9
    assert numbers(diagnosis, "shift_x")["auc"] < 0.75


def test_no_pairs_and_no_unmatched_items():
    x, y, pair_ids = case("same")
    verdict = diagnosis_of(x, y, pair_ids[:0])["verdict"]
    assert verdict["unmatched_data"] == "unclear"
    assert "without a single pair" in verdict["because"]
    everything = np.array([x.ids, x.ids]).T
    assert diagnosis_of(x, y, everything)["verdict"]["unmatched_data"] == "unlikely"


def test_equal_seeds_give_equal_diagnoses_and_json():
    sets = case("noisy")
    first, second = (json.dumps(diagnosis_of(*sets, seed=3), allow_nan=False) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("value", [0.0, 7.0])
@pytest.mark.parametrize("n", [1, 5, 80])
def test_collapsed_sets_are_measured_without_nan(value, n):
    ids = np.arange(n).astype(str)
    same = Collection(np.full((n, 6), value, np.float16), ids)
    diagnosis = diagnosis_of(same, same, np.array([ids, ids]).T[: n // 2])
    json.dumps(diagnosis, allow_nan=False)
    assert diagnosis["verdict"]["unmatched_data"] != "likely"


@pytest.mark.parametrize(
    ("pair", "words"),
    [(["item 1", "other"], "y has not: other"), (["item 0", "item 1"], "x is in two")],
)
def test_pairs_must_be_of_known_items_once(pair, words):
    x, y, pair_ids = case("same")
    with pytest.raises(ValueError, match=words):
        diagnosis_of(x, y, np.array([pair_ids[0], pair]))


def test_items_with_several_rows_count_once():
    x, y, pair_ids = case("same")
    rng = np.random.default_rng(0)
    captions = np.repeat(y.features, 5, axis=0)
    captions += 0.3 * rng.normal(size=captions.shape).astype(np.float32)
    order = rng.permutation(len(captions))
    rows = Collection(captions[order], np.repeat(y.ids, 5)[order])
    diagnosis = diagnosis_of(x, rows, pair_ids)
    assert diagnosis["counts"]["y"] | {"dimensions": 18} == {
        "rows": 5 * NUM_ITEMS,
        "items": NUM_ITEMS,
        "dimensions": 18,
        "unmatched": NUM_ITEMS - 100,
        "unmatched_used": NUM_ITEMS - 100,
    }
    assert diagnosis["verdict"]["unmatched_data"] == "likely"
    assert numbers(diagnosis, "shift_y")["auc"] < 0.6


def test_mmd_is_that_of_the_losses():
    x, y = (jnp.asarray(rows[:80, :18]) for rows in world(0)[:2])
    test = two_sample.mmd_test(np.asarray(x), np.asarray(y), np.random.default_rng(0))
    assert test.value == pytest.approx(float(losses.multi_kernel_mmd(x, y)), rel=1e-4)


def test_excess_matches_float64():
    rng = np.random.default_rng(0)
    x, y, all_x, all_y = (
        (size + rng.normal(size=(10 * (1 + i), 4))).astype(np.float32)
        for i, size in enumerate((0, 0, 0, 1))
    )
    y = x + 0.1
    test = two_sample.excess_test(x, y, all_x, all_y, rng)
    both_x, both_y = np.concatenate([x, all_x]), np.concatenate([y, all_y])
    widths = np.asarray(losses.bandwidth_ladder(jnp.asarray(both_x), jnp.asarray(both_y)), float)
    rows = np.concatenate([both_x, both_y]).astype(float)
    squared = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    kernel = np.exp(-squared[..., None] / (2 * widths)).mean(-1)
    off = ~np.eye(len(rows), dtype=bool)
    level = kernel[off].mean()

    def mmd(i, j, excluded=None):
        between = kernel[np.ix_(i, j)] - level
        if excluded is not None:
            between = between * ~excluded
        within = sum(
            (kernel[np.ix_(k, k)][~np.eye(len(k), dtype=bool)] - level).mean() for k in (i, j)
        )
        return within - 2 * between.mean()

    n, u = len(x), len(all_x)
    index = np.arange(len(rows))
    pairs = mmd(index[:n], index[n + u : n + u + n], np.eye(n, dtype=bool))
    unmatched = mmd(index[n : n + u], index[n + u + n :])
    assert test.pairs == pytest.approx(pairs, abs=1e-5)
    assert test.unmatched == pytest.approx(unmatched, abs=1e-5)
    assert test.excess.value == pytest.approx(unmatched - pairs, abs=1e-5)
    assert test.excess.p_value < 0.05


def test_rejections_of_equal_sets_are_as_rare_as_promised():
    rows = world(1)[0]
    p_values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(rows))
        p_values.append(two_sample.mmd_test(rows[order[:40]], rows[order[40:140]], rng).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.15  # of 40 at 5 %: more in 1 of 300 cases
    assert 0.35 < np.mean(p_values) < 0.65


def test_opposite_halves_are_far_apart():
    x = world(0)[0]
    halves = np.random.default_rng(0).permutation(len(x)).reshape(2, -1)
    random = two_sample.mmd_test(x[halves[0]], x[halves[1]], np.random.default_rng(0)).value
    assert two_sample.opposite_halves(x) > 20 * abs(random)


def test_random_pairs_are_uniformly_strange_and_right_ones_are_not():
    x, y, _ = world(2, n=300)
    rng = np.random.default_rng(0)
    right = pair_noise.cross_fitted_strangeness(x, y, rng)
    wrong = pair_noise.cross_fitted_strangeness(x, rng.permutation(y), rng)
    assert np.mean(right) < 0.02
    assert np.mean(wrong) == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(np.quantile(wrong, [0.25, 0.75]), [0.25, 0.75], atol=0.1)


def test_random_pairs_are_seldom_taken_for_recognised():
    x, y, _ = world(2, n=20)
    p_values = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p_values.append(pair_noise.recognition_test(x, rng.permutation(y), rng).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.15  # as above
    assert pair_noise.recognition_test(x, y, np.random.default_rng(0)).p_value < 0.01


def test_wrong_pairs_are_counted_and_named():
    found = numbers(diagnosis_of(*case("noisy", pairs=200)), "pair_noise")
    assert found["low"] < 0.3 < found["high"]
    wrong = {f"item {i}" for i in wrong_pairs(200, 0)}
    assert len(found["suspects"]) == 10
    assert sum(suspect["x"] in wrong for suspect in found["suspects"]) >= 9


def test_the_classifier_knows_a_shift_whatever_the_sizes():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(size, 30)).astype(np.float32) for size in (20, 400))
    auc, spread = shift.classifier_auc(x, y, rng)
    assert abs(auc - 0.5) < 3 * spread
    assert shift.classifier_auc(x + 2, y, rng)[0] > 0.99


def test_duplicates_are_counted_exact_and_near():
    x, y, pair_ids = case("same")
    features = x.features.copy()
    features[200:230] = features[300:330]  # both unmatched
    features[400:410] = features[:10]  # unmatched as matched
    features[500:550] = features[550:] * 1.0001
    found = numbers(diagnosis_of(Collection(features, x.ids), y, pair_ids), "duplicates")
    assert found["x"]["exact"] == 80
    assert found["x"]["unmatched_as_matched"] == 10
    assert found["x"]["near_share"] == pytest.approx(180 / NUM_ITEMS, abs=0.02)
    assert found["x"]["near_across_share"] == pytest.approx(20 / NUM_ITEMS, abs=0.01)
    assert found["y"] == {
        "items": NUM_ITEMS,
        "exact": 0,
        "unmatched_as_matched": 0,
        "near_share": pytest.approx(0, abs=0.01),
        "near_across_share": pytest.approx(0, abs=0.01),
    }


def test_equal_captions_of_one_item_are_no_duplicates():
    rows = Collection(np.array([[1.0], [1.0], [2.0]]), np.array(["a", "a", "b"]))
    assert duplicates.exact_duplicates(rows, np.array(["a"])) == (0, 0)


def test_maps_bring_new_pairs_together():
    x, y, _ = world(3, n=300)
    left, right = maps.embed(maps.fit(x[:100], y[:100]), x[100:], y[100:])
    cosines = left @ right.T
    assert np.mean(np.diag(cosines)) > np.quantile(cosines, 0.9)


@pytest.fixture
def files(tmp_path):
    """Two files of embeddings and one of pairs."""
    x, y, pair_ids = case("same")
    for name, rows in (("x", x), ("y", y)):
        np.savez(tmp_path / f"{name}.npz", features=rows.features, ids=rows.ids)
    lines = ["image,text", *(",".join(pair) for pair in pair_ids)]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    return tmp_path


def command(folder, *more):
    x, y = folder / "x.npz", folder / "y.npz"
    return main.main(["diagnose", f"--x={x}", f"--y={y}", *more])


def test_the_command_prints_and_writes(files, capsys):
    out = files / "new" / "out"
    assert command(files, f"--pairs={files / 'pairs.csv'}", f"--out={out}", "--verbose") == 0
    printed = capsys.readouterr().out
    assert printed.endswith(f"{out / 'diagnosis.html'}, {out / 'diagnosis.json'}.\n")
    written = json.loads((out / "diagnosis.json").read_text())
    assert written["counts"]["pairs"] == 100
    stated = written["held_out"]["expected"]["unmatched"]
    assert of_unmatched(stated) in printed
    assert of_unmatched(stated) in (out / "diagnosis.html").read_text()
    is_decided = written["verdict"]["unmatched_data"] == stated["verdict"]
    assert is_decided == (stated["verdict"] != "too early")
    assert {path.name for path in out.iterdir()} == {"diagnosis.html", "diagnosis.json"}


def test_a_wrong_pair_is_one_sentence_and_writes_nothing(files, capsys):
    (files / "pairs.csv").write_text("item 0,nothing\n")
    code = command(files, f"--pairs={files / 'pairs.csv'}", f"--out={files / 'out'}")
    assert code == 2
    assert "'nothing'" in capsys.readouterr().err
    assert not (files / "out").exists()


def test_held_out_rows_decide_nothing(files):
    x, y, _ = case("same")
    split = np.where(np.arange(NUM_ITEMS) < 500, "train", "test")
    found = []
    for seed in range(2):
        features = x.features.copy()
        features[500:] += 50 * np.random.default_rng(seed).normal(size=(100, 24))
        np.savez(files / "x.npz", features=features, ids=x.ids, splits=split)
        np.savez(files / "y.npz", features=y.features, ids=y.ids, splits=split)
        found.append(
            diagnose(files / "x.npz", files / "y.npz", files / "pairs.csv", seed=seed // 2)
        )
    assert found[0].metadata == found[1].metadata
    assert found[0].metadata["counts"]["x"]["items"] == 500


def test_files_without_common_ids_have_no_pairs(files):
    rows = np.load(files / "y.npz")["features"]
    np.save(files / "y.npy", rows)
    assert diagnose(files / "x.npz", files / "y.npy").metadata["counts"]["pairs"] == 0


@pytest.mark.parametrize("name", ["same", "unrelated"])
def test_what_pictures_mark_is_a_figure_of_the_finding(name):
    """No mark in a picture that the numbers and words beside it do not have."""
    found = diagnosed(name)["findings"]
    marked = 0
    for finding in found:
        for picture in finding["pictures"]:
            for value in picture.get("marks", {}).values():
                assert value in finding["numbers"].values(), (finding["name"], value)
                marked += 1
    assert marked > 2
    (pairs,) = (finding for finding in found if finding["name"] == "held_out_pairs")
    assert f"{pairs['numbers']['rank_of_other_half']:.3f}" in pairs["sentence"]


def scaled(rows, factor):
    return Collection((rows.features * np.float32(factor)).astype(np.float32), rows.ids)


@pytest.mark.parametrize("factor", [1e20, 1e-40, 1e30, 2.0**-100])
@pytest.mark.parametrize("name", ["same", "other classes", "unrelated"])
def test_the_unit_of_the_features_decides_nothing(name, factor):
    x, y, pair_ids = case(name)
    sound = diagnosed(name)
    found = diagnosis_of(
        scaled(x, factor), scaled(y, 1 / factor if factor > 1e-35 else 1), pair_ids
    )
    assert found["verdict"]["unmatched_data"] == sound["verdict"]["unmatched_data"]
    levels = [[one["level"] for one in each["findings"]] for each in (found, sound)]
    assert levels[0] == levels[1]


def test_doubles_beyond_single_precision_are_measured():
    x, y, pair_ids = case("same")
    large = Collection(x.features.astype(np.float64) * 1e300, x.ids)
    assert diagnosis_of(large, y, pair_ids)["verdict"]["unmatched_data"] == "likely"


@pytest.mark.parametrize("value", [0.0, 1e-40, 3.7, 1e30])
def test_constant_features_are_said_to_be_constant(value):
    x, y, pair_ids = case("same")
    same = Collection(np.full_like(x.features, value), x.ids)
    verdict = diagnosis_of(same, y, pair_ids)["verdict"]
    assert verdict["unmatched_data"] == "unlikely"
    assert verdict["constant"] == ["x"]
    assert verdict["because"].startswith("all rows of x are the same")
    both = diagnosis_of(same, Collection(np.full_like(y.features, value), y.ids), pair_ids)[
        "verdict"
    ]
    assert both["because"].startswith("all rows of x and of y are the same")


@pytest.mark.parametrize(
    "values", [[0.0, 5e-324], [1.0, 1 + 2.0**-52], [1e300, 1e300], [0.0, 0.0], [-1e-13, 1e-13]]
)
def test_values_that_are_nearly_one_have_a_picture(values):
    picture = histogram("a", "b", np.array(values), {"here": values[0]})
    assert sum(picture["counts"]) == len(values)
    assert np.all(np.diff(picture["edges"]) >= 0)


@pytest.mark.slow
def test_of_a_dozen_pairs_none_is_said_to_be_unrelated():
    for seed in range(6):
        verdict = diagnosis_of(*case("unrelated", pairs=12, seed=seed))["verdict"]
        assert "no relation" not in verdict["because"]

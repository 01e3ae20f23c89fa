"""Comparison of methods: figures, pages, stored figures, refusals, and the command."""

import re
import shutil

import numpy as np
import pytest
from page_parser import Page

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.commands import main
from gentle_clip_jax.comparing import Comparison, compare, evaluated
from gentle_clip_jax.storage.records import read_record

PAIRS = [(f"a{i}", f"b{i}") for i in range(12)]
METHODS = ["cca", "procrustes"]


def write(folder, num=40):
    """Two noisy views of the same points; the partner of a7 is b7."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(num, 3))
    for name, letter, width in (("x", "a", 6), ("y", "b", 5)):
        rows = common @ rng.normal(size=(3, width)) + 0.3 * rng.normal(size=(num, width))
        ids = np.array([f"{letter}{i}" for i in range(num)])
        np.savez(folder / f"{name}.npz", features=rows.astype(np.float32), ids=ids)
    return folder / "x.npz", folder / "y.npz"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two collections, and the comparison of two methods in a folder."""
    folder = tmp_path_factory.mktemp("comparison")
    files = write(folder)
    return files, folder / "w", compare(*files, PAIRS, folder / "w", methods=METHODS)


def test_each_method_has_its_recall_and_its_difference_from_the_best_of_pairs(done):
    _, _, comparison = done
    assert {row["method"] for row in comparison.rows} == {*METHODS}
    values = [row["recall"] for row in comparison.rows]
    assert values == sorted(values, reverse=True)
    for row in comparison.rows:
        assert 0 <= row["low"] <= row["recall"] <= row["high"] <= 1
        tops = [row[f"recall_at_{top}"] for top in (1, 5, 10)]
        assert row["recall"] == pytest.approx(np.mean(tops))
        if row["difference"] is not None:
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    metadata = comparison.metadata
    assert metadata["counts"] == {"pairs": 12, "unmatched_x": 28, "unmatched_y": 28}
    assert (metadata["splits"], metadata["fitted"]) == (20, 9)
    assert metadata["chance"] == pytest.approx(
        np.mean([top / metadata["among"] for top in (1, 5, 10)])
    )
    assert comparison.verdict in ("helped", "hurt", "alike", "too early")
    # Of so few pairs `align` considers no relative representations.
    assert "relative" not in metadata["align"]["held_out"]["mean_log_rank"]


def test_a_difference_is_that_of_the_method_less_the_reference(done, tmp_path):
    files, folder, _ = done
    kept = shutil.copytree(folder, tmp_path / "w")
    methods = [*METHODS, "ridge"]
    rows = {row["method"]: row for row in compare(*files, PAIRS, kept, methods=methods).rows}
    (against,) = (name for name, row in rows.items() if row["difference"] is None)
    assert against in ("cca", "ridge")
    for name in {*rows} - {against}:
        expected = rows[name]["recall"] - rows[against]["recall"]
        assert rows[name]["difference"] == pytest.approx(expected)


def test_the_page_the_table_and_the_representations(done):
    _, folder, comparison = done
    assert (kept := read_record(folder / "comparison.json")) == kept | comparison.metadata
    page = (folder / "comparison.html").read_text()
    for text in (*METHODS, "What now", "gentle-clip align", "20 splits"):
        assert text in Page(page).text
    assert "<script" not in page
    assert comparison.summary[0].startswith("Use gentle_transport. Of items that it has not seen, ")
    assert comparison.summary[1].startswith("Whether unmatched items help")
    assert repr(comparison).startswith("Comparison(2 methods; ")
    assert len(repr(comparison)) < 1500
    assert "procrustes" in comparison._repr_html_()
    table = comparison.to_pandas()
    assert table["method"].tolist() == [row["method"] for row in comparison.rows]


def test_the_last_sentences_say_which_methods_differ_from_the_chosen_one(done):
    _, _, comparison = done
    rows = comparison.metadata["methods"]
    assert all(row["from_chosen"] for row in rows if row["method"] != "gentle_transport")
    verdicts = dict(zip(METHODS, ("too early", "hurt")))
    rows = [{**row, "from_chosen": verdicts[row["method"]]} for row in rows]
    *_, same, worse = Comparison({**comparison.metadata, "methods": rows}).summary
    assert same.startswith("No real difference in recall from gentle_transport")
    assert same.endswith("in the table: cca.")
    assert worse == "Lower recall than gentle_transport: procrustes."


def test_a_fast_comparison_leaves_out_what_align_does_not_choose_among(done, tmp_path):
    files, folder, _ = done
    kept = shutil.copytree(folder, tmp_path / "w")
    fast = [row["method"] for row in compare(*files, PAIRS, kept, fast=True).rows]
    assert {"cca", "ridge", "gentle_transport"} < {*fast}
    assert not {"procrustes", "transported_cca"} & {*fast}
    named = compare(*files, PAIRS, kept, methods=METHODS, fast=True)
    assert [row["method"] for row in named.rows] == ["cca"]
    every = [row["method"] for row in compare(*files, PAIRS, kept).rows]
    assert {*every} == {*fast, "procrustes", "transported_cca"}


def test_the_same_call_evaluates_nothing_again(done, monkeypatch):
    files, folder, comparison = done
    for name in ("closed_forms", "evaluate_method"):
        monkeypatch.setattr(evaluated, name, lambda *_: pytest.fail("evaluated again"))
    again = compare(*files, PAIRS[::-1], folder, methods=METHODS)
    assert again.metadata == comparison.metadata


def test_another_seed_or_other_items_are_another_comparison(done, tmp_path):
    files, folder, _ = done
    with pytest.raises(ValueError, match="another seed"):
        compare(*files, PAIRS, folder, methods=METHODS, seed=1)
    x, y = write(tmp_path, num=41)
    with pytest.raises(ValueError, match="other data"):
        compare(x, y, PAIRS, folder, methods=METHODS)


def test_a_comparison_takes_the_pairs_of_an_aligner_and_states_its_verdict(done):
    files, folder, comparison = done
    aligner = align(*files, PAIRS, method="cca")
    again = compare(*files, workdir=folder, aligner=aligner, methods=METHODS)
    assert again.metadata["align"] == comparison.metadata["align"]
    stated = aligner.metadata["expected"]["recall"]
    (row,) = (row for row in again.metadata["methods"] if row["method"] == "cca")
    assert row["recall"]["value"] == stated["held_out"] < stated["value"]


def test_an_aligner_of_other_pairs_or_another_seed(done):
    files, *_ = done
    aligner = align(*files, PAIRS[:9], method="cca", seed=3)
    other = compare(*files, PAIRS, aligner=aligner, methods=["cca"]).metadata
    assert (other["seed"], other["counts"]["pairs"]) == (0, 12)
    own = compare(*files, aligner=aligner, methods=["cca"]).metadata
    assert (own["seed"], own["counts"]["pairs"]) == (3, 9)
    stated = aligner.metadata["expected"]["recall"]
    assert own["methods"][0]["recall"]["value"] == stated["held_out"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["magic"]}, "no method magic"),
        ({"methods": []}, "Nothing is left to compare"),
        ({"methods": ["procrustes"], "fast": True}, "--fast leaves out procrustes"),
        ({"pairs": PAIRS[:2]}, "too few pairs .* 2 by the pairs: give 3"),
    ],
)
def test_what_cannot_be_compared_is_refused(done, options, message):
    files, *_ = done
    with pytest.raises(ValueError, match=message):
        compare(*files, **{"pairs": PAIRS, **options})


def test_constant_features_are_refused(done, tmp_path):
    (x, _), *_ = done
    ids = np.array([b for _, b in PAIRS])
    np.savez(tmp_path / "y.npz", features=np.ones((12, 4)), ids=ids)
    with pytest.raises(ValueError, match=r"All rows of .*y\.npz are the same"):
        compare(x, tmp_path / "y.npz", PAIRS)


def test_names_are_escaped_on_the_page(done, tmp_path):
    _, _, comparison = done
    Comparison({**comparison.metadata, "modalities": ["<b>cell", "$word$"]}).save(tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    assert "&lt;b&gt;cell" in page
    assert "<b>cell" not in page


def test_the_command_prints_the_table_and_writes_the_page(done, tmp_path, capsys):
    (x, y), folder, _ = done
    (tmp_path / "pairs.csv").write_text("".join(f"{a},{b}\n" for a, b in PAIRS))
    line = [f"--x={x}", f"--y={y}", f"--pairs={tmp_path / 'pairs.csv'}", f"--workdir={folder}"]
    assert main.main(["compare", *line, "--methods=cca,procrustes"]) == 0
    plain = capsys.readouterr().out
    assert re.search("^Use [a-z_]+. Of items that it has not seen, ", plain, re.MULTILINE)
    assert "12 pairs, 28 unmatched items" not in plain
    assert main.main(["compare", *line, "--methods=cca,procrustes", "--verbose"]) == 0
    printed = capsys.readouterr().out
    assert "12 pairs, 28 unmatched items of x and 28 of y" in printed
    assert "procrustes" in printed
    assert f"{folder}/comparison.html" in printed

import json
import os
import re

import numpy as np
import pytest
from page_parser import Page
from synthetic_run import CONFIG, embeddings, write_run

from gentle_clip_jax.report import write_report

CLIP_ONLY = CONFIG | {"loss": {"clip_weight": 1.0, "mmd_weight": 0.0}}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a finished run beside a weaker one."""
    root = tmp_path_factory.mktemp("runs")
    run = write_run(root / "icons")
    other = write_run(root / "icons_clip", quality=0.8, config=CLIP_ONLY)
    path = write_report(run, [other])
    assert path == run / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def test_page_stands_alone(page):
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/png;base64,") for source in page.values("src"))
    links = page.values("href") + page.values("xlink:href")
    assert links
    assert all(link.startswith("#") for link in links)
    assert not any(name.startswith("on") for name, _ in page.attributes)


def test_ids_are_unique_and_links_reach_them(page):
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in page.values("xlink:href")} <= set(ids)


def test_every_section_is_there(page):
    for words in (
        "Mean recall 33.0\u202f%, 6.6 points above icons_clip.",
        "(guessing: 1.4\u202f%)",
        "Zero-shot accuracy",
        "Text to image: the five nearest",
        "from text to image the right one is among the ten nearest for 46.0\u202f%",
        "from image to text",
        "Before training",
        "SDD, fine",
        "Examples per second",
        "gentle-clip train --config=configs/icons.py --workdir=runs/icons",
        "3 min 35 s",
        "loss.mmd_weight",
        "0.10.2",
    ):
        assert words in page.text
    assert page.values("aria-label").count("Total loss over the steps") == 1


def test_pictures_follow_the_page_colours(page):
    styles = " ".join(value for value in page.values("style") if value)
    assert "var(--orange)" in styles
    assert not re.search(r"(?:fill|stroke): ?#(?!none)", styles)


def test_a_difference_within_the_intervals_is_called_so(tmp_path):
    run = write_run(tmp_path / "a", embedded=False)
    other = write_run(tmp_path / "b", quality=1.02, embedded=False)
    text = read(write_report(run, [other])).text
    assert "0.7 points below b (the 95\u202f% intervals overlap)" in text


def test_a_run_level_with_another(tmp_path):
    run, other = (write_run(tmp_path / name, embedded=False) for name in "ab")
    text = read(write_report(run, [other])).text
    assert "Mean recall 33.0\u202f%, level with b (the 95\u202f% intervals overlap)." in text


def test_runs_measured_on_other_items_are_not_to_be_compared(tmp_path):
    run, other = (write_run(tmp_path / name, embedded=False) for name in "ab")
    evaluation = json.loads((other / "evaluation.json").read_text()) | {"num_items": 300}
    (other / "evaluation.json").write_text(json.dumps(evaluation))
    assert "do not compare them" in read(write_report(run, [other])).text


def test_a_run_of_proteins_speaks_of_no_image_and_no_text(tmp_path):
    run = write_run(tmp_path / "run", modalities=("sequence", "structure"))
    page = read(write_report(run))
    for words in (
        "Structure to sequence: the five nearest",
        "Sequence to structure R@5",
        "from structure to sequence the right one is among the ten nearest",
        "Sequence to structure R@10",
        "each as sequence and as structure",
    ):
        assert words in page.text
    assert not re.search(r"\b(image|text|i2t|t2i)s?\b", page.text, re.IGNORECASE)
    assert not any("mage to" in label for label in page.values("aria-label"))


def test_a_run_that_names_no_modalities_has_x_and_y(tmp_path):
    run = write_run(tmp_path / "run", evaluated=False)
    text = read(write_report(run)).text
    assert "Y to x: the five nearest" in text
    assert "X to y R@10" in text
    info = json.loads((run / "run.json").read_text()) | {"modalities": ["cell", "word"]}
    (run / "run.json").write_text(json.dumps(info))
    assert "Cell to word R@10" in read(write_report(run)).text


def test_damaged_lines_are_counted_on_the_page(tmp_path):
    run = write_run(tmp_path / "run", embedded=False)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 610, "ki\n[]\n')
    assert "Damaged lines of metrics.jsonl left out: 2." in read(write_report(run)).text


def test_a_run_that_is_still_training(tmp_path):
    run = write_run(tmp_path / "run", evaluated=False, embedded=False)
    text = read(write_report(run, [write_run(tmp_path / "done")])).text
    assert "No evaluation yet: the run is at step 600." in text
    assert "No embeddings have been written yet." in text
    assert "Total loss" in text


def test_a_run_that_has_just_begun(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    text = read(write_report(tmp_path)).text
    assert "the run has logged no step" in text
    assert "No step has been logged yet." in text
    assert "No run.json has been written yet." in text


def test_a_compared_run_without_evaluation(tmp_path):
    other = write_run(tmp_path / "other", evaluated=False)
    text = read(write_report(write_run(tmp_path / "run", embedded=False), [other])).text
    assert "Not evaluated yet: other." in text


def test_a_single_validation_and_a_single_step(tmp_path):
    run = write_run(tmp_path / "run", embedded=False)
    lines = [
        {"step": 1, "kind": "train", "loss/total": 1.0},
        {"step": 1, "kind": "validation", "mean_recall": 0.1},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "10%" in read(write_report(run)).text.replace("\u202f", "")


def test_a_loss_that_was_not_finite(tmp_path):
    run = write_run(tmp_path / "run", evaluated=False, embedded=False)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 610, "kind": "train", "loss/total": NaN, "loss/sdd": Infinity}\n')
    assert "nan" in read(write_report(run)).text


def test_a_long_run_is_thinned(tmp_path):
    run = write_run(tmp_path / "run")
    size = write_report(run).stat().st_size
    lines = ({"step": i, "kind": "train", "loss/total": 1 / i} for i in range(1, 20001))
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert write_report(run).stat().st_size < 1.5 * size


def test_everything_is_escaped(tmp_path):
    evil = '<script>alert("&")</script>'
    run = write_run(tmp_path / "a<b", config={"data": {evil: evil}})
    arrays = embeddings(1.0, 20)
    arrays["names"], arrays["set"] = np.array([evil] * 20), np.array(evil)
    np.savez(run / "embeddings.npz", **arrays)
    (run / "run.json").write_text(json.dumps({"command": evil, "versions": {evil: evil}, evil: 1}))
    line = {"step": 1, "kind": "train", f"loss/{evil}": 1.0}
    (run / "metrics.jsonl").write_text(json.dumps(line))
    page = read(write_report(run))
    assert "script" not in page.tags
    assert page.text.count(evil) > 10


def test_runs_of_one_name_are_told_apart(tmp_path):
    runs = [write_run(tmp_path / seed / "icons", embedded=False) for seed in ("one", "two")]
    text = read(write_report(*runs[:1], runs[1:])).text
    assert "one/icons" in text
    assert "two/icons" in text


def test_writing_again_replaces_the_report_and_leaves_no_draft(tmp_path):
    run = write_run(tmp_path / "run", embedded=False)
    first = write_report(run).read_text()
    assert write_report(run).read_text() == first
    assert sorted(path.name for path in run.iterdir()) == [
        "config.json",
        "evaluation.json",
        "metrics.jsonl",
        "report.html",
        "run.json",
    ]
    assert os.stat(run / "report.html").st_mode & 0o777 == 0o644


def test_a_report_that_cannot_be_written_leaves_no_draft(tmp_path):
    run = write_run(tmp_path / "run", embedded=False)
    (run / "report.html").mkdir()
    with pytest.raises(ValueError, match=r"report\.html cannot be written"):
        write_report(run)
    assert not list(run.glob(".report-*"))


def test_a_run_against_itself(tmp_path):
    run = write_run(tmp_path / "run", embedded=False)
    with pytest.raises(ValueError, match="name each folder once"):
        write_report(run, [run])


def test_it_ends_with_what_to_do_next(tmp_path, page):
    run = write_run(tmp_path / "a run")
    text = read(write_report(run)).text
    assert text.rstrip().endswith(f"gentle-clip report --workdir='{run}' --compare=ANOTHER")
    assert f"gentle-clip search --aligner='{run}' WORDS" in text
    assert "--compare=ANOTHER" not in page.text
    assert "What now" in page.text

import re

from synthetic_run import evaluation

from gentle_clip_jax.report import results


def metric(value):
    return {"value": value, "low": value, "high": value}


def best(*evaluations):
    runs = {str(i): {"metrics": e} for i, e in enumerate(evaluations)}
    return {row.name: [c and c.is_best for c in row.cells] for row in results.rows(runs)}


def test_the_highest_share_and_the_lowest_rank_are_best():
    first = {"i2t_r1": metric(0.2), "i2t_median_rank": metric(9.0)}
    second = {"i2t_r1": metric(0.3), "i2t_median_rank": metric(8.0)}
    assert best(first, second) == {"i2t_r1": [False, True], "i2t_median_rank": [False, True]}


def test_what_reads_the_same_is_equally_good():
    assert best({"mean_recall": metric(0.2001)}, {"mean_recall": metric(0.2)}) == {
        "mean_recall": [True, True]
    }


def test_a_run_alone_has_no_best_and_a_missing_metric_none():
    assert best({"i2t_r1": metric(0.2)}) == {"i2t_r1": [False]}
    assert best({"i2t_r1": metric(0.2)}, {}) == {"i2t_r1": [False, None]}


def test_labels_and_figures():
    assert results.label("t2i_r5", ("image", "text")) == "Text to image R@5"
    assert results.label("i2t_r1", ("DNA", "cell")) == "DNA to cell R@1"
    assert results.label("i2t_r1") == "X to y R@1"
    assert results.label("some_other") == "some other"
    assert results.label("test_fold/crop_mrr") == "test_fold: crop MRR"
    assert results.number("zero_shot_accuracy", 1.0) == "100.0"
    assert results.number("i2t_median_rank", 7.5) == "7.5"
    assert results.number("i2t_median_rank", 12345.0) == "12345"


def labels(*evaluations):
    runs = {str(i): evaluation for i, evaluation in enumerate(evaluations)}
    return [row.label for row in results.rows(runs)]


def test_metrics_are_called_by_what_the_runs_align():
    figures = {"metrics": {"i2t_r1": metric(0.2)}}
    proteins = figures | {"modalities": ["sequence", "structure"]}
    assert labels(proteins, proteins) == ["Sequence to structure R@1"]
    assert labels(figures) == ["X to y R@1"]
    assert labels(proteins, figures) == ["X to y R@1"]


def test_the_table_in_a_terminal():
    runs = {"icons": evaluation(1.0), "clip[only]": evaluation(0.8)}
    runs["clip[only]"]["metrics"].pop("zero_shot_accuracy")
    runs["icons"]["metrics"]["[bold]odd"] = metric(0.1)
    heads, *lines, note = results.results_lines(runs)
    assert heads.split() == ["Metric", "icons", "clip[only]"]
    cells = {row[0]: row[1:] for line in lines for row in [re.split("  +", line)]}
    assert cells["Mean of the R@k"] == ["33.0* (30.5 to 35.5)", "26.4 (23.9 to 28.9)"]
    assert "Text to image R@10" in cells
    assert cells["Zero-shot accuracy"][1] == "-"
    assert "[bold]odd" in cells
    assert note.endswith("* marks the best.")

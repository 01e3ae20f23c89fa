import copy
import io
import json
import re
import xml.etree.ElementTree

import page_examples
import pytest
from page_examples import METHODS
from rich.cells import cell_len
from rich.console import Console
from test_report import Page

from gentle_clip_jax.report.comparison import (
    comparison_table,
    show_comparison,
    write_comparison,
)
from gentle_clip_jax.report.comparison.advice import advice
from gentle_clip_jax.report.comparison.cells import gather, metric_label


@pytest.fixture
def results():
    return page_examples.comparison()


def write(path, results, **keywords):
    (path / "results.json").write_text(json.dumps(results))
    return write_comparison(path, **keywords).read_text()


def section(page, title):
    return page.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_page_has_every_part(results, tmp_path):
    page = write(tmp_path, results)
    assert "`gentle-clip compare --workdir=runs/rs` on 2 x Some CPU (python 3.11.7" in page
    assert "no unmatched item has its partner" in page
    assert "missing" not in page
    assert "†" not in page
    one = section(page, "104 pairs (1 %)")
    assert "| gentle &lt;transport> | yes | **43.5 ± 1.0** | **20.5 ± 1.0** |" in one
    assert "| CLIP \\| heads | no | 32.6 ± 1.0 | 18.4 ± 1.0 | 12.2 ± 1.0 | 2.2 |" in one
    assert "| image to text, strict |" in section(page, "Other ways to count")
    details = page[page.index("<details>") : page.index("</details>")]
    assert "### ucm\n\n| pairs |  | image to text |" in details
    assert "| 104 | gentle &lt;transport> | **53.5 ± 1.0** |" in details
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_all_rows_of_a_table_are_as_long_as_its_head(results, tmp_path):
    page = write(tmp_path, results)
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_differences_are_marked_where_their_interval_leaves_zero(results, tmp_path):
    table = section(write(tmp_path, results), "Against the best method with pairs alone")
    assert "| ▲ +5.0 (+3.0 to +7.0) | +1.0 (-1.0 to +3.0) |" in table
    assert "| shrinkage CCA | ▼ -5.9 (-7.9 to -3.9) |  |" in table


def test_what_reads_the_same_is_equally_bold(results, tmp_path):
    results["runs"] = [r for r in results["runs"] if r["method"] != "gentle"]
    one = section(write(tmp_path, results), "104 pairs (1 %)")
    assert one.count("**18.4 ± 1.0**") == 2


def test_missing_runs_leave_cells_empty_and_are_counted(results, tmp_path):
    gone = [("gentle", 104, 0), ("clip", 1041, 0), ("clip", 1041, 1), ("clip", 1041, 2)]
    results["runs"] = [
        r for r in results["runs"] if (r["method"], r["pairs"], r["seed"]) not in gone
    ]
    page = write(tmp_path, results)
    assert "**4 of 24 runs are missing**" in page  # with all pairs nothing is unmatched
    assert "| **44.0 ± 0.7** † |" in section(page, "104 pairs (1 %)")
    assert "| CLIP \\| heads | no |  |  |  |  |" in section(page, "1,041 pairs (10 %)")


def test_what_is_drawn_with_all_pairs_leaves_no_other_run_missing(results, tmp_path):
    of_cca = [run for run in results["runs"] if run["method"] == "cca"]
    results["runs"] += [run | {"method": "cca+drawn"} for run in of_cca]
    drawn = {"name": "cca+drawn", "label": "CCA, drawn", "unmatched": True, "trained": False}
    results["methods"].append(drawn)
    assert "missing" not in write(tmp_path, results)


def test_one_seed_has_no_spread_and_no_verdict(results, tmp_path):
    results["runs"] = [r for r in results["runs"] if r["seed"] == 1]
    page = write(tmp_path, results)
    assert "| no | 38.5 | 18.4 | 15.6 |" in page
    assert "±" not in page
    assert "a single seed has no spread" in section(page, "Which to use here")


def test_without_zero_shot_and_differences(results, tmp_path):
    for one in results["runs"]:
        one["metrics"] = {name: one["metrics"][name] for name in ("i2t", "t2i")}
    results["differences"] = []
    page = write(tmp_path, results)
    assert "zero-shot" not in page
    assert "Against the best" not in page
    assert "<details>" not in page
    svg = xml.etree.ElementTree.parse(tmp_path / "comparison.svg")
    assert not [text for text in svg.iter() if text.text and "zero-shot" in text.text]


def test_advice_follows_the_spread(results):
    few, many, every = advice(gather(results))
    assert few == (
        "With 104 pairs (1 %): **gentle <transport>**: unmatched items helped by more than the "
        "spread, against shrinkage CCA with pairs alone (zero-shot +5.0, image to text +2.1 "
        "points); the rest is within the spread (text to image +0.4 points)."
    )
    assert many.startswith("With 1,041 pairs (10 %): **shrinkage CCA**, as the simpler one")
    assert "(zero-shot +0.2, image to text +0.1, text to image -0.2 points)" in many
    assert every == (
        "With 10,414 pairs (100 %): **shrinkage CCA** is the best with pairs alone, and nothing "
        "else is there to set it against."
    )


def test_advice_says_where_unmatched_items_hurt(results):
    for one in results["runs"]:
        if one["method"] == "gentle":
            one["metrics"]["zero_shot"] -= 0.2
            one["metrics"]["i2t"] += 0.1 * (one["pairs"] == 104)
    few, many, _ = advice(gather(results))
    assert "**gentle <transport>** or **shrinkage CCA**, by the metric" in few
    assert "hurt there (zero-shot -15.0 points)" in few
    assert "**shrinkage CCA**: gentle <transport>, the best with unmatched items, is below" in many


def test_another_folder_gets_a_copy_of_the_figures(results, tmp_path):
    write(tmp_path, results, out=tmp_path)
    assert not (tmp_path / "comparison.json").exists()
    page = write(tmp_path, results, out=tmp_path / "docs", stem="rs")
    assert {path.name for path in (tmp_path / "docs").iterdir()} == {"rs.md", "rs.svg", "rs.json"}
    assert json.loads((tmp_path / "docs" / "rs.json").read_text()) == results
    assert "(rs.svg)" in page
    assert "[rs.json](rs.json)" in page


def test_the_picture_is_reproducible_and_names_every_method(results, tmp_path):
    write(tmp_path, results)
    first = (tmp_path / "comparison.svg").read_bytes()
    write(tmp_path, results)
    assert (tmp_path / "comparison.svg").read_bytes() == first
    texts = [e.text for e in xml.etree.ElementTree.fromstring(first).iter()]
    assert {label for _, label, _ in METHODS} <= set(texts)
    assert b"script" not in first


def test_one_method_one_number_of_pairs_and_one_metric(results, tmp_path):
    results["runs"] = [r for r in results["runs"] if (r["method"], r["pairs"]) == ("cca", 104)]
    results["methods"], results["differences"] = results["methods"][:1], []
    for one in results["runs"]:
        one["metrics"] = {"i2t": one["metrics"]["i2t"]}
    page = write(tmp_path, results)
    assert "| shrinkage CCA | no | 18.4 ± 1.0 | 2.2 |" in page  # nothing to be better than
    assert "nothing else is there to set it against" in page


def test_the_table_in_a_terminal(results):
    results["runs"] = [r for r in results["runs"] if r["method"] != "clip" or r["pairs"] > 104]
    file = io.StringIO()
    results["modalities"] = ["molecule structures", "long descriptions"]
    results["methods"][2]["name"] = "gentle_clip_official"
    for run in results["runs"]:
        run["method"] = run["method"].replace("gentle", "gentle_clip_official")
    Console(file=file, width=80, force_terminal=True).print(comparison_table(results))
    shown = file.getvalue()
    assert "\x1b[1m43.5 ± 1.0\x1b[0m" in shown
    assert shown.count("10,414") == 1
    # A line a method, whole, though the names of the figures are long.
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()
    assert max(map(cell_len, plain)) <= 80
    assert sum("gentle_clip_official* " in line and " ± " in line for line in plain) == 2
    assert sum(" cca " in line and line.count(" ± ") == 3 for line in plain) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no results.json; give the folder"),
        ("{", r"results.json makes no page \(Expecting"),
        ("[]", "results.json makes no page"),
        ("{}", "it lacks 'methods'"),
    ],
)
def test_bad_files_are_one_sentence(text, message, tmp_path):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        write_comparison(tmp_path)
    assert not [*tmp_path.glob("comparison.*")]


def test_an_unknown_method_and_no_run_at_all_are_named(results, tmp_path):
    stranger = copy.deepcopy(results)
    stranger["runs"][0]["method"] = "stranger"
    with pytest.raises(ValueError, match="it lacks 'stranger'"):
        write(tmp_path, stranger)
    with pytest.raises(ValueError, match="no run is finished yet"):
        write(tmp_path, results | {"runs": []})


def test_metric_labels():
    names = ("image", "text")
    assert metric_label("t2i_equal", names) == "text to image, equal"
    assert metric_label("mean_rank/ucm", names) == "mean rank"
    assert metric_label("zero_shot/ucm", names) == "zero-shot"


def test_a_comparison_speaks_of_what_it_compares(results, tmp_path, capsys):
    write(tmp_path, results)
    show_comparison(tmp_path, ("[b]cell", "$word$"))
    assert json.loads((tmp_path / "results.json").read_text())["modalities"] == [
        "[b]cell",
        "$word$",
    ]
    printed = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "comparison.md").read_text()
    assert "image to text +2.1" not in printed + page
    assert "**" not in printed
    for text in (printed, page):
        assert "[b]cell to $word$ +2.1" in text
    assert "| $word$ to [b]cell |" in page
    assert "the [b]cell of one half of the rest and the $word$ of the other half" in page
    texts = xml.etree.ElementTree.parse(tmp_path / "comparison.svg").iter()
    assert {"[b]cell to $word$, %", "$word$ to [b]cell, %"} <= {e.text for e in texts}
    prose = re.sub("<[^>]*>|!?\\[[^]]*\\]\\([^)]*\\)", "", page)
    assert not re.search(r"\b(image|text|caption|i2t|t2i)s?\b", prose, re.IGNORECASE)
    show_comparison(tmp_path)
    assert "[b]cell to $word$" in (tmp_path / "comparison.md").read_text()


def test_modalities_that_are_no_names_are_one_sentence(results, tmp_path):
    with pytest.raises(ValueError, match=r"makes no page \(its modalities are not two names\)"):
        write(tmp_path, results | {"modalities": "ab"})


def test_the_page_of_html_holds_all_of_it_and_runs_nothing(results, tmp_path, capsys):
    hostile = "<script>alert(1)</script><img src=x>"
    results["methods"][0]["label"] = results["title"] = hostile
    results["command"] = f"`{hostile}"
    write(tmp_path, results)
    show_comparison(tmp_path)
    page = Page((tmp_path / "comparison.html").read_text())
    assert not {"script", "img", "link"} & {*page.tags}
    assert page.tags.count("svg") == 3  # a plot a metric
    assert page.tags.count("details") == 1
    tables = re.findall(r"^\| ---", (tmp_path / "comparison.md").read_text(), flags=re.M)
    assert page.tags.count("table") == len(tables)
    assert page.text.count(hostile) > 5
    for text in ("Which to use here", "43.5 ± 1.0", "What now", "gentle-clip align --x=X"):
        assert text in page.text
    assert str(tmp_path / "comparison.html") in capsys.readouterr().out

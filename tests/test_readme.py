"""What the README promises."""

import pathlib
import re
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_an_aligner_is_fitted_saved_and_loaded_and_the_losses_run(tmp_path, monkeypatch):
    (snippet,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(snippet, names)
    assert len(names["matches"].rows) == 240
    nearest = np.asarray(names["unit_x"] @ names["unit_y"].T).argmax(axis=1)
    assert np.mean(nearest == np.arange(300)) >= 0.8
    assert {*names["terms"]} == {"clip", "mmd", "sdd"}


def test_every_room_is_on_the_map():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    package = ROOT / "gentle_clip_jax"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.name for path in package.glob("[!_]*.py")}
    assert {*re.findall(r"\]\(gentle_clip_jax/([\w.]+)\)", page)} == rooms


def test_its_files_are_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", README) if "://" not in link]
    scripts = re.findall(r"^\./(\S+)", README, flags=re.MULTILINE)
    configs = re.findall(r"--config=(\w+)", README)
    assert links
    assert scripts
    assert configs
    for name in (*links, *scripts, *(f"configs/{config}.py" for config in configs)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("version", ["2406.05766v1", "2406.05766v2"])
def test_both_versions_of_the_paper_are_cited(version):
    assert version in README


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


def test_tables_are_what_was_measured(benchmarks):
    """Every figure of a table is that of docs/results: python benchmarks/readme_tables.py."""
    import readme_tables

    pages = [path.read_text() for path in readme_tables.PAGES]
    for name in readme_tables.TABLES:
        (page,) = (text for text in pages if f"<!-- {name} -->" in text)
        assert f"<!-- /{name} -->\n" in page
    for page in pages:
        assert readme_tables.with_tables(page) == page
        before, table = re.split(r"(?=<!-- [a-z]+ -->)", page, maxsplit=1)
        altered = before + re.sub(r"\d\.\d ±", "99.9 ±", table, count=1)
        assert altered != page
        assert readme_tables.with_tables(altered) == page


def test_it_is_short_and_begins_with_the_path_of_the_tutorial():
    assert len(README.splitlines()) <= 100
    first = blocks("bash")[0]
    assert len(first.splitlines()) <= 12
    assert README.index(first) < README.index("docs/tutorial.md")
    names = ("review.png", "quickstart.png", "minutes.svg")
    figures = [f"docs/figures/{name}" for name in names]
    assert re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README) == figures
    assert "CC BY-SA 4.0" in README[README.index(figures[1]) :][:200]
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    ours, theirs = (re.findall(r"^gentle-clip (\w+)", text, re.M) for text in (first, tutorial))
    assert ours == ["encode", "encode", "review", "match"]
    assert {*ours} <= {*theirs}


def test_the_pages_of_results_are_what_was_measured(benchmarks):
    """python benchmarks/pages.py"""
    import pages

    for name, render in pages.PAGES.items():
        assert render() == (ROOT / "docs" / "results" / f"{name}.md").read_text(), name
    written = {path.stem for path in (ROOT / "docs" / "results").glob("*.md")}
    assert written - {*pages.PAGES} == {"README", "mutants", "speed", "closed"}


def test_every_file_of_results_names_its_commits(benchmarks):
    from published import RESULTS, read

    for path in RESULTS.glob("*.json"):
        content = read(path.stem)
        of_rows = all(row.get("commit") for row in content.get("rows", [{}]))
        assert {"commit", "commits"} & content.keys() or of_rows, path
        of_runs = content.get("commits")
        if isinstance(of_runs, dict):
            assert content["runs"].keys() <= of_runs.keys(), path
            assert all(of_runs.values()), path


def test_what_is_published_is_read_as_it_was(benchmarks, tmp_path):
    import published

    run = {"test": {"r1": 1.5}, "steps": [{"n": 1}, {"n": 2}], "start": None}
    content = {
        "commit": "abc",
        "runs": {"clip": {"0": run, "1": run | {"start": {}}}, "other": {"2": run}},
        "rows": [run, run],
        "few": [{"a": 1}],
        "mixed": [{"a": 1}, {"b": 1}, [], {}],
    }
    published.publish("one", content, tmp_path)
    assert published.read("one", tmp_path) == content
    assert (tmp_path / "one.json").read_text().count("r1") < str(content).count("r1")
    del content["commit"]
    published.publish("two", content, tmp_path, columns=["start", "test", "new"])
    found = published.read("two", tmp_path)
    assert found["rows"] == [{"start": None, "test": {"r1": 1.5}, "new": None}] * 2
    assert found["commits"] == [published.commit()]
    published.publish("two", {**found, "commits": ["abc"]}, tmp_path)
    assert published.read("two", tmp_path)["commits"] == ["abc", published.commit()]
    rows = [{"commit": "abc", "r1": 1.5}]
    published.publish("two", {"rows": rows}, tmp_path)
    assert published.read("two", tmp_path) == {"rows": rows}


def test_the_matches_from_twelve_pairs_are_those_of_newcomers(benchmarks):
    from published import read

    content = read("newcomer")
    first, *others = (run["right"] for run in (content, *content["elsewhere"]))
    assert len(others) == 2
    assert others[0] == others[1]
    page = (ROOT / "docs" / "is_this_for_me.md").read_text()
    assert f"{first['right']} of {first['matched']} matches were right in one run" in page
    assert f"{others[0]['right']} of {others[0]['matched']} in each of two others" in page


def test_right_first_choices_are_what_was_measured(benchmarks):
    from published import groups, read

    rows = groups(read("matching")["rows"], "field", "way", "pairs")
    page = (ROOT / "docs" / "is_this_for_me.md").read_text()
    asked, turns = "pairs that ask names", "every caption, rich features of four turns"
    for words, *cell in (
        ("600 pairs of photographs then give {}", "photographs", "every caption", 600),
        ("60 then give {}", "photographs", asked, 60),
        ("pairs of aerial images give {}", "remote sensing", f"{turns}, {asked}", 1041),
    ):
        found = np.mean([row["found"] for row in rows[tuple(cell)]])
        assert words.format(f"{found:.0f}") in page


def test_the_page_of_evidence_is_what_was_measured(benchmarks):
    """python benchmarks/evidence.py"""
    import evidence

    assert evidence.page() == (ROOT / "docs" / "evidence.md").read_text()
    for name, draw in evidence.FIGURES.items():
        figure = (ROOT / "docs" / name).read_text()
        assert draw() == figure, name
        assert len(figure) < 30_000, name

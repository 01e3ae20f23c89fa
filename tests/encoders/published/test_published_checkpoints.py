"""Folders of checkpoints: what is found in them, and what is said of what is not."""

import fnmatch
import json

import numpy as np
import pytest

from gentle_clip_jax.encoders.clip import MEAN, STD
from gentle_clip_jax.encoders.published import checkpoints, pretrained

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
TOKENS = np.array([[18, 3, 19, 0, 0], [18, 5, 6, 7, 19]])
SIZES = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2}


@pytest.fixture(scope="module")
def originals():
    return pytest.importorskip("originals", reason="run pip install '.[parity]' for these tests")


def test_clip_in_shards(originals, tmp_path):
    transformers, torch = pytest.importorskip("transformers"), originals.torch
    vision = {"num_attention_heads": 3, "image_size": 16, "patch_size": 4}
    text = {"num_attention_heads": 4, "max_position_embeddings": 5, "vocab_size": 20}
    text |= {"eos_token_id": 19}
    config = transformers.CLIPConfig(
        vision_config=SIZES | vision, text_config=SIZES | text, projection_dim=12
    )
    theirs = originals.randomized(transformers.CLIPModel(config))
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    image = pretrained.load(tmp_path, role="image")
    assert image.path.name == "model.safetensors.index.json"
    with torch.no_grad():
        pixels = originals.pixels(IMAGES, MEAN, STD)
        expected = theirs.get_image_features(pixels).pooler_output
        originals.assert_close(originals.apply(image, IMAGES), expected)
        expected = theirs.get_text_features(torch.tensor(TOKENS)).pooler_output
        text = pretrained.load(tmp_path, role="text")
        originals.assert_close(originals.apply(text, TOKENS), expected)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "has no config.json with a model_type: give the folder of a whole checkpoint"),
        ('{"architecture": "resnet50"}', "has no config.json with a model_type: .* by timm:"),
        ('{"model_type": "vit"}', r"has no weights in a .safetensors file"),
        ("[1]", r"config.json must hold an object of JSON, not a list"),
        ("{", r"config.json is no sound .json file"),
    ],
)
def test_folders_without_a_checkpoint(config, words, tmp_path):
    if config:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ValueError, match=words):
        checkpoints.find(tmp_path)


@pytest.mark.parametrize(
    ("kind", "role", "words"),
    [
        ("vit", None, "a model of the type vit, and not one of clip, .*: give transformers:"),
        ("clip", "sequence", "is no encoder for the role sequence, but for image or text"),
        ("bert", "image", "is no encoder for the role image, but for text"),
        ("clip", None, "has a tower for each role image and text: choose one"),
        ("esm", "text", "is no encoder for the role text, but for sequence"),
    ],
)
def test_roles_and_kinds(kind, role, words, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    (tmp_path / "model.safetensors").touch()
    for function in (pretrained.load, pretrained.role_of):
        with pytest.raises(ValueError, match=words):
            function(tmp_path, role=role)


def test_packaged_encoders_have_a_role():
    assert pretrained.role_of("efficientnet-lite0") == "image"
    assert pretrained.role_of("minilm", "text") == "text"
    for function in (pretrained.load, pretrained.role_of):
        with pytest.raises(ValueError, match="minilm is no encoder for the role image"):
            function("minilm", role="image")


def test_one_file_of_another_name_is_taken_and_two_are_not(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "bert.safetensors").touch()
    assert checkpoints.find(tmp_path).weights.name == "bert.safetensors"
    assert pretrained.role_of(tmp_path) == "text"
    (tmp_path / "other.safetensors").touch()
    with pytest.raises(ValueError, match="has no weights"):
        checkpoints.find(tmp_path)
    assert checkpoints.find(tmp_path / "other.safetensors").weights.name == "other.safetensors"


@pytest.mark.parametrize(
    ("weights", "fetched"),
    [
        (["pytorch_model.bin", "model-1-of-2.safetensors"], [1, 2]),
        (["model.safetensors", "tf_model.h5", "open_clip_model.safetensors"], [0]),
    ],
)
def test_of_a_repo_the_best_weights_are_fetched(weights, fetched, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    repo = {"config.json": {"model_type": "clip"}, "vocab.txt": ""}
    repo |= dict.fromkeys(weights, "")
    if "model-1-of-2.safetensors" in weights:
        weights.append("model.safetensors.index.json")
        repo[weights[-1]] = {"weight_map": {"a": "model-1-of-2.safetensors"}}

    def snapshot_download(name, allow_patterns):
        for file, content in repo.items():
            if any(fnmatch.fnmatch(file, p) for p in allow_patterns):
                (tmp_path / file).write_text(json.dumps(content))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    found = checkpoints.find("some/model")
    assert {name for name in weights if (tmp_path / name).exists()} == {weights[i] for i in fetched}
    assert found.weights.name == weights[fetched[-1]]
    assert (tmp_path / "vocab.txt").exists()


@pytest.mark.parametrize("config", [{"architecture": "resnet50_clip"}, None])
def test_a_repo_of_open_clip_is_for_its_library(config, tmp_path, monkeypatch):
    (tmp_path / "open_clip_config.json").write_text("{}")
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(checkpoints, "fetch", lambda *_: tmp_path)
    with pytest.raises(ValueError, match="by open_clip:some/model"):
        checkpoints.find("some/model")

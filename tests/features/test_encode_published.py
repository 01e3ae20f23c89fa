"""Features by checkpoints of Hugging Face, beside those of transformers."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.commands import main
from gentle_clip_jax.data.sequences import esm2_tokens
from gentle_clip_jax.features.read import read

TEXTS = ["ab b", "a", "b a ab", "ab " * 30]
TOKENS = ["!", "a", "b", "a</w>", "b</w>", "ab</w>", "<|startoftext|>", "<|endoftext|>"]
COLOURS = {"a": (250, 0, 0), "b": (0, 250, 0), "c": (9, 9, 90)}


def encode(*arguments):
    return main.main(["encode", *(f"--{name}={value}" for name, value in arguments)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """transformers' model and processor, and the folder that they are saved in."""
    originals = pytest.importorskip("originals", reason="run pip install '.[parity]'")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(TOKENS)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    tokenizer = transformers.CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt")
    )
    small = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2}
    vision = {"num_attention_heads": 3, "image_size": 16, "patch_size": 4}
    text = {"num_attention_heads": 4, "max_position_embeddings": 13, "vocab_size": 8}
    ids = {"eos_token_id": 7, "bos_token_id": 6, "pad_token_id": 7}
    config = transformers.CLIPConfig(
        vision_config=small | vision, text_config=small | text | ids, projection_dim=12
    )
    model = originals.saved(originals.randomized(transformers.CLIPModel(config)), folder)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16)
    processor = transformers.CLIPProcessor(images, tokenizer)
    processor.save_pretrained(folder)
    return transformers.CLIPModel.from_pretrained(model).eval(), processor, folder


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (16, 16), colour).save(folder / f"{name}.png")
    return folder


def test_both_towers_of_a_clip(clip, pictures, tmp_path, capsys):
    import torch

    model, processor, folder = clip
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    for role, data in (("image", pictures), ("text", tmp_path / "texts.txt")):
        out = tmp_path / role
        assert encode(("encoder", folder), ("role", role), ("data", data), ("out", out)) == 0
    images = processor(
        images=[Image.new("RGB", (16, 16), c) for c in COLOURS.values()], return_tensors="pt"
    )
    texts = processor(text=TEXTS, padding=True, truncation=True, max_length=13, return_tensors="pt")
    with torch.no_grad():
        expected = {
            "image": model.get_image_features(**images).pooler_output,
            "text": model.get_text_features(**texts).pooler_output,
        }
    for role, features in expected.items():
        found = read(tmp_path / role)
        np.testing.assert_allclose(found.features, features, atol=1e-5)
    assert "Cut to 13 tokens: 1." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "has a tower for each role image and text: choose one"),
        ((("prompt", "a {label}"), ("role", "image")), "A prompt makes texts"),
    ],
)
def test_what_is_wrong_with_the_arguments(arguments, words, clip, pictures, tmp_path, capsys):
    more = (("data", pictures), ("out", tmp_path / "out"), *arguments)
    assert encode(("encoder", clip[2]), *more) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def fails(encoder, pictures, capsys):
    """What is said of an encoder that is not there, in one line."""
    assert encode(("encoder", encoder), ("data", pictures), ("out", pictures / "out")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module")
def esm2(tmp_path_factory):
    """transformers' model, and the folder that it is saved in."""
    originals = pytest.importorskip("originals", reason="run pip install '.[parity]'")
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"vocab_size": 33, "intermediate_size": 16, "pad_token_id": 1, "mask_token_id": 32}
    config = transformers.EsmConfig(**sizes, position_embedding_type="rotary", token_dropout=True)
    model = originals.randomized(transformers.EsmModel(config))
    return model, originals.saved(model, tmp_path_factory.mktemp("esm2"))


def test_proteins_of_a_fasta_file(esm2, tmp_path, capsys):
    import torch

    model, folder = esm2
    proteins = {"b": "MKTAYIAKQR" * 5, "a": "GAV", "again": "GAV", "long": "W" * 1030}
    text = "".join(f">{name} of a kind\n{sequence}\n" for name, sequence in proteins.items())
    (tmp_path / "proteins.fasta").write_text(text)
    out = tmp_path / "out"
    arguments = [("encoder", folder), ("data", tmp_path / "proteins.fasta"), ("out", out)]
    assert encode(*arguments) == 0
    assert "Cut to 1024 tokens: 1." in capsys.readouterr().err
    found = read(out)
    assert found.ids.tolist() == [*proteins]
    for features, sequence in zip(found.features, proteins.values()):
        tokens = torch.tensor(esm2_tokens([sequence], 1024).astype(np.int64))
        with torch.no_grad():
            outputs = model(input_ids=tokens).last_hidden_state[0, 1:-1]
        np.testing.assert_allclose(features, outputs.mean(dim=0).numpy(), atol=1e-5)
    assert encode(*arguments, ("split", "test")) == 2
    assert "no splits" in capsys.readouterr().err


def test_names_that_mean_nothing(pictures, capsys):
    assert "There is no encoder resnet: choose efficientnet-lite0" in fails(
        "resnet", pictures, capsys
    )


def test_a_repo_is_fetched(clip, pictures, tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def snapshot_download(name, allow_patterns):
        assert name == "some/clip"
        return str(clip[2])

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    out = tmp_path / "out"
    arguments = (("encoder", "some/clip"), ("role", "image"), ("data", pictures), ("out", out))
    assert encode(*arguments) == 0
    assert len(read(out).ids) == 3


def test_no_network(pictures, capsys, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def snapshot_download(*_, **__):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    error = fails("some/clip", pictures, capsys)
    assert "no folder some/clip, and it cannot be fetched from Hugging Face (no route" in error
    assert "download its files by hand into a folder" in error


def test_no_library_for_the_hub(pictures, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = fails("some/clip", pictures, capsys)
    assert "huggingface_hub is not installed to fetch it: run pip install huggingface_hub" in error

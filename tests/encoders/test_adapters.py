"""Encoders of other libraries: features equal to those that the library itself computes."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

import gentle_clip_jax as gc
from gentle_clip_jax.commands import main
from gentle_clip_jax.encoders.adapters import sources
from gentle_clip_jax.features import shards
from gentle_clip_jax.storage.records import read_record

torch = pytest.importorskip("torch", reason="run pip install '.[parity]' for these tests")
pytestmark = pytest.mark.slow  # to import the libraries takes seconds

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "boat", "pier", "red", "of", "a"]
TEXTS = ["a red boat", "pier", "a boat of red of red pier", "red pier"]
SMALL = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 2}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.manual_seed(0)


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        noise = Image.fromarray(rng.integers(0, 256, (20 + i, 24, 3), np.uint8))
        noise.save(tmp_path / f"pictures/{i}.png")
    return tmp_path / "pictures"


@pytest.fixture
def texts(tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    return tmp_path / "texts.txt"


def opened(pictures):
    return [Image.open(path) for path in sorted(pictures.glob("*.png"))]


def bert(folder):
    """A folder with a BERT of few words and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16)
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(**SMALL, vocab_size=9, max_position_embeddings=16)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def vit(folder):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(**SMALL, image_size=16, patch_size=8)
    transformers.ViTModel(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def encoded(encoder, data, out, **settings):
    """Features by `encode`, which those of `load_encoder` equal."""
    collection = gc.encode(data, out, encoder=encoder, **settings)
    embed = gc.load_encoder(encoder, role=settings.get("role"))
    items = sorted(data.glob("*.png")) if data.is_dir() else data.read_text().split("\n")
    np.testing.assert_allclose(embed(items), collection.features, atol=1e-6)
    assert repr(embed).startswith("Encoder('")
    return collection


def close(collection, expected):
    np.testing.assert_allclose(collection.features, expected.detach().numpy(), atol=1e-5)


def test_texts_by_transformers(texts, tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = bert(tmp_path / "bert")
    found = encoded(f"transformers:{folder}", texts, tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for row, text in zip(found.features, TEXTS):
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
        np.testing.assert_allclose(row, hidden[0].mean(dim=0).detach().numpy(), atol=1e-5)
    card = read_record(tmp_path / "out" / "manifest.json")
    assert card["library"] == "transformers"
    assert card["model"] == str(folder)
    assert card["versions"]["transformers"] == transformers.__version__
    assert len(card["weights_sha256"]) == 64
    assert "tokenizer.json" in card["settings_sha256"]
    assert card["max_tokens"] == 16


def test_images_by_transformers(pictures, tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = vit(tmp_path / "vit")
    found = encoded(f"transformers:{folder}", pictures, tmp_path / "out")
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    pixels = processor(images=opened(pictures), return_tensors="pt")["pixel_values"]
    close(found, model(pixel_values=pixels).last_hidden_state[:, 0])


def test_two_towers_of_siglip_by_transformers(pictures, texts, tmp_path):
    """Its texts are all filled up to the length of training."""
    transformers = pytest.importorskip("transformers")
    folder = bert(tmp_path / "siglip")
    vision, text = {"image_size": 16, "patch_size": 8}, {"vocab_size": 9, "projection_size": 8}
    config = transformers.SiglipConfig(
        vision_config=SMALL | vision, text_config=SMALL | text | {"max_position_embeddings": 16}
    )
    model = transformers.SiglipModel(config).eval()
    model.save_pretrained(folder)
    size = {"height": 16, "width": 16}
    processor = transformers.SiglipImageProcessor(size=size)
    processor.save_pretrained(folder)
    images = encoded(f"transformers:{folder}", pictures, tmp_path / "x", role="image")
    pixels = processor(images=opened(pictures), return_tensors="pt")["pixel_values"]
    close(images, model.get_image_features(pixel_values=pixels).pooler_output)
    found = encoded(f"transformers:{folder}", texts, tmp_path / "y", role="text")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXTS, padding="max_length", max_length=16, return_tensors="pt")
    close(found, model.get_text_features(**tokens).pooler_output)
    with pytest.raises(ValueError, match="has a tower for each role image and text: choose one"):
        gc.load_encoder(f"transformers:{folder}")


def test_texts_by_sentence_transformers(texts, tmp_path):
    name = "sentence_transformers"
    library = pytest.importorskip(name, reason="run pip install sentence-transformers")
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(bert(tmp_path / "bert")))
    parts = [transformer, modules.Pooling(8), modules.Normalize()]
    model = library.SentenceTransformer(modules=parts, device="cpu").eval()
    folder = tmp_path / "sentences"
    model.save(str(folder))
    found = encoded(f"sentence-transformers:{folder}", texts, tmp_path / "out")
    np.testing.assert_allclose(found.features, model.encode(TEXTS), atol=1e-6)
    with pytest.raises(ValueError, match="is no encoder for the role image, but for text"):
        gc.load_encoder(f"sentence-transformers:{folder}", role="image")
    listed = json.loads((folder / "modules.json").read_text())
    listed[0]["type"] = "modeling.Own"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match=r"asks for code of its own \(modeling.Own\)"):
        gc.load_encoder(f"sentence-transformers:{folder}")


def test_images_by_timm(pictures, tmp_path):
    timm = pytest.importorskip("timm", reason="run pip install timm")
    model = timm.create_model("test_resnet").eval()
    timm.models.save_for_hf(model, tmp_path / "timm", safe_serialization=True)
    encoder = f"timm:{tmp_path / 'timm'}"
    found = encoded(encoder, pictures, tmp_path / "out")
    settings = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**settings, is_training=False)
    batch = torch.stack([transform(image) for image in opened(pictures)])
    close(found, model.forward_head(model.forward_features(batch), pre_logits=True))
    # By shards, one of which has no sound picture; and with a picture that is none.
    (pictures / "0.png").write_bytes(b"none")
    for number in range(2):
        gc.encode(pictures, tmp_path / "parts", encoder=encoder, shard=(number, 2))
    shards.merge(tmp_path / "parts")
    again = gc.read(tmp_path / "parts")
    assert again.ids.tolist() == ["1", "2"]
    np.testing.assert_allclose(again.features, found.features[1:], atol=1e-6)
    half = gc.encode(pictures, tmp_path / "half", encoder=encoder, dtype="float16")
    assert half.features.dtype == np.float16


def test_two_towers_of_open_clip(pictures, texts, tmp_path):
    library = pytest.importorskip("open_clip", reason="run pip install open_clip_torch")
    from safetensors.torch import save_file

    vision = {"image_size": 16, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8}
    text = {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 2}
    config = {"embed_dim": 6, "vision_cfg": vision, "text_cfg": text}
    model = library.CLIP(**config).eval()
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    encoder = f"open_clip:{folder}"
    images = encoded(encoder, pictures, tmp_path / "x", role="image")
    transform = library.image_transform(16, is_train=False)
    close(images, model.encode_image(torch.stack([transform(one) for one in opened(pictures)])))
    found = encoded(encoder, texts, tmp_path / "y", role="text")
    close(found, model.encode_text(library.SimpleTokenizer(context_length=12)(TEXTS)))
    with pytest.raises(ValueError, match="give ARCH/TAG of its list of pretrained models"):
        gc.load_encoder("open_clip:ViT-B-32/none", role="text")


def test_images_as_they_come(pictures, tmp_path):
    """Paths, bytes, Pillow's images and arrays give the same features."""
    encoder = gc.load_encoder(f"transformers:{vit(tmp_path / 'vit')}")
    path = pictures / "0.png"
    image = Image.open(path)
    rows = encoder([path, str(path), path.read_bytes(), image, np.asarray(image)])
    np.testing.assert_array_equal(rows, rows[:1].repeat(5, axis=0))
    with pytest.raises(ValueError, match="Item 1 cannot be used: it is not an image"):
        encoder([path, b"none"])


@pytest.mark.parametrize("option", ["layers", "views"])
def test_options_of_our_own_encoders_are_refused(option, pictures, tmp_path, capsys):
    encoder = f"transformers:{vit(tmp_path / 'vit')}"
    value = {"layers": "rich", "views": "turns"}[option]
    arguments = [f"--encoder={encoder}", f"--data={pictures}", f"--out={tmp_path / 'out'}"]
    assert main.main(["encode", *arguments, f"--{option}={value}"]) == 2
    error = capsys.readouterr().err
    assert f"--{option}={value} is not for {encoder}: leave it out." in error
    assert not (tmp_path / "out").exists()


def test_pickles_are_not_read(texts, tmp_path):
    folder = bert(tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no \.safetensors files"):
        gc.load_encoder(f"transformers:{folder}")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match=r"pytorch_model\.bin can run code when it is read"):
        gc.load_encoder(f"transformers:{folder}")
    with pytest.raises(ValueError, match=r"has no model\.safetensors, which timm:"):
        sources.load(f"timm:{folder}", "image")


def test_weights_that_are_missing_and_models_that_are_none(tmp_path):
    pytest.importorskip("transformers")
    from safetensors.torch import load_file, save_file

    folder = bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    del weights["embeddings.word_embeddings.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    match = r"cannot be read: the weight embeddings\.word_embeddings\.weight is missing"
    with pytest.raises(ValueError, match=match):
        gc.load_encoder(f"transformers:{folder}")
    (folder / "config.json").write_text('{"model_type": "none"}')
    with pytest.raises(ValueError, match="cannot be read: "):
        gc.load_encoder(f"transformers:{folder}")
    with pytest.raises(ValueError, match=r"no folder some/model, and it cannot be fetched"):
        gc.load_encoder("transformers:some/model")

"""Encoders of raw items, beside what `encode` writes of the same."""

import importlib.util

import numpy as np
import pytest
import tiny_encoders
from PIL import Image

from gentle_clip_jax import encode, load_encoder


def test_pictures_are_embedded_as_by_encode(pictures, tmp_path):
    expected = encode(pictures, tmp_path / "out", encoder="efficientnet-lite0", views="mirror")
    encoder = load_encoder("efficientnet-lite0", views="mirror")
    paths = [pictures / f"{name}.png" for name in expected.ids]
    rows = encoder(paths)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, expected.features)
    for items in ([p.read_bytes() for p in paths], [Image.open(p) for p in paths]):
        np.testing.assert_array_equal(encoder(items), rows)
    np.testing.assert_array_equal(encoder([np.asarray(Image.open(paths[0]))]), rows[:1])
    assert repr(encoder) == "Encoder('efficientnet-lite0', role='image')"


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    """Pillow's own image and its file give the same."""
    image = Image.new("RGB", (4, 2), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    prepare = load_encoder("efficientnet-lite0").prepare
    assert prepare((tmp_path / "a.jpg").read_bytes()).shape == (224, 224, 3)
    encoder = load_encoder("efficientnet-lite0")
    one, two = encoder([tmp_path / "a.jpg", Image.open(tmp_path / "a.jpg")])
    np.testing.assert_array_equal(one, two)


def test_texts_are_embedded_as_by_encode_in_their_order(tmp_path):
    texts = ["pier pier boat", "boat", "other pier", "boat", "pier boat pier boat pier boat pier"]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    expected = encode(tmp_path / "texts.txt", tmp_path / "out", encoder="minilm")
    encoder = load_encoder("minilm")
    np.testing.assert_array_equal(encoder(texts), expected.features)
    np.testing.assert_array_equal(encoder(texts[1:2]), expected.features[1:2])


@pytest.mark.parametrize(
    ("name", "items", "words"),
    [
        ("minilm", ["boat", ""], "Item 1 cannot be used: it is empty"),
        ("minilm", [], "takes a list of at least one item"),
        ("minilm", "boat", r"takes a list of at least one item: encoder\(\[item\]\)"),
        ("efficientnet-lite0", ["nowhere.png"], "Item 0 cannot be used: it .*No such file"),
        ("efficientnet-lite0", [b"none"], "Item 0 cannot be used: it is not an image"),
    ],
)
def test_items_that_cannot_be_used(name, items, words):
    with pytest.raises(ValueError, match=words):
        load_encoder(name)(items)


def test_options_that_do_not_fit():
    with pytest.raises(ValueError, match="Only images have views: leave out --views=turns"):
        load_encoder("minilm", views="turns")
    with pytest.raises(ValueError, match="minilm is no encoder for the role image"):
        load_encoder("minilm", role="image")


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("sentence-transformers", "sentence-transformers torch"),
        ("timm", "timm torch"),
        ("open_clip", "open_clip_torch torch"),
        ("transformers", "transformers torch"),
    ],
)
def test_a_library_that_is_not_installed(library, packages, monkeypatch, pictures, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    match = f"needs {library}, which is not installed: run pip install {packages}"
    with pytest.raises(ValueError, match=match):
        load_encoder(f"{library}:some/name")
    options = f"--encoder={library}:some/name", f"--data={pictures}", f"--out={pictures / 'out'}"
    assert tiny_encoders.main.main(["encode", *options]) == 2
    assert match in capsys.readouterr().err

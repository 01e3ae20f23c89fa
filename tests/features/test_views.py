"""Features of an image that do not depend on where its top is."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tiny_encoders import encode_by_command, encode_images, encode_texts, manifest

from gentle_clip_jax.aligners.from_collections import align
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features.encode import encode
from gentle_clip_jax.features.views import over_views
from gentle_clip_jax.training.loading import open_aligner


class Corner(nn.Module):
    """The mean colour of the upper left quarter."""

    @nn.compact
    def __call__(self, images):
        half = images.shape[1] // 2
        return images[:, :half, :half].astype(jnp.float32).mean(axis=(1, 2))


@pytest.fixture
def pictures(tmp_path, weights, monkeypatch):
    """Four of noise, embedded by their corners; a text beside each."""
    corner = pretrained.Pretrained(Corner(), {}, weights / "weights", "image")
    monkeypatch.setattr(pretrained, "efficientnet_lite0", lambda: corner)
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        noise = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        noise.resize((224, 224), Image.Resampling.NEAREST).save(tmp_path / f"pictures/{i}.png")
    (tmp_path / "texts.txt").write_text("boat\npier\nboat pier\npier pier boat\n")
    return tmp_path / "pictures"


@pytest.mark.parametrize(("views", "same"), [(None, [0]), ("mirror", [0, 4]), ("turns", range(4))])
def test_features_are_the_same_of_every_view(views, same):
    rng = np.random.default_rng(1)
    image, weights = rng.normal(size=(2, 6, 6, 3)), rng.normal(size=(6, 6, 3))
    embed = over_views(lambda images: np.einsum("bijc,ijc->bc", images, weights), views)
    features = embed(image)
    both = image, image[:, :, ::-1]
    seen = [np.rot90(one, quarters, axes=(1, 2)) for one in both for quarters in range(4)]
    assert [np.allclose(embed(view), features) for view in seen] == [i in same for i in range(8)]


def test_a_folder_holds_the_mean_over_views(pictures, tmp_path):
    plain, mirror, turns = (
        encode_images(pictures, tmp_path / f"{views}", views=views).features
        for views in (None, "mirror", "turns")
    )
    pixels = np.stack([np.asarray(Image.open(pictures / f"{i}.png")) for i in range(4)])
    quarters = pixels.reshape(4, 2, 112, 2, 112, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(plain, quarters[:, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(mirror, quarters[:, 0].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(turns, quarters.mean(axis=(1, 2)), rtol=1e-5)
    assert "views" not in manifest(tmp_path / "None")
    assert manifest(tmp_path / "turns")["views"] == "turns"


def test_a_query_is_seen_as_the_images_of_the_gallery_were(pictures, tmp_path):
    gallery = encode_images(pictures, tmp_path / "x", views="turns")
    encode_texts(tmp_path / "texts.txt", tmp_path / "y")
    align(tmp_path / "x", tmp_path / "y", out=tmp_path / "aligner", method="cca")
    opened = open_aligner(tmp_path / "aligner")
    side, features = opened.items.encode_file(pictures / "2.png")
    assert side == "x"
    np.testing.assert_allclose(features[0], gallery.features[2], rtol=1e-6)
    encode_images(pictures, tmp_path / "plain")
    with pytest.raises(ValueError, match="layers or views: encode as they were"):
        opened.read(tmp_path / "plain", "x")


def test_views_that_cannot_be(pictures, tmp_path, capsys):
    assert encode_by_command(pictures, tmp_path / "x", "--views=turns") == 0
    assert encode_by_command(pictures, tmp_path / "x") == 2
    assert "was begun with --views=turns, not None" in capsys.readouterr().err
    assert encode_by_command(tmp_path / "texts.txt", tmp_path / "y", "--views=mirror") == 2
    assert "Only images have views: leave out --views=mirror." in capsys.readouterr().err
    with pytest.raises(ValueError, match="--views=all must be one of mirror, turns"):
        encode(pictures, tmp_path / "z", encoder="efficientnet-lite0", views="all")

"""Images as published encoders get them: beside transformers' own processors."""

import io

import numpy as np
import pytest
from PIL import Image

from gentle_clip_jax.data import images
from gentle_clip_jax.encoders.published.framing import Framing, from_preprocessing
from gentle_clip_jax.storage import reading

ROW, COLUMN = np.indices((90, 135))
SMOOTH = 127 + 120 * np.sin((ROW + COLUMN)[..., None] / np.array([9, 13, 21]))
KINDS = {
    "CLIPImageProcessor": {"size": {"shortest_edge": 40}, "crop_size": 40},
    "ViTImageProcessor": {"size": {"height": 40, "width": 40}},  # of CLIPs that squash
    "BitImageProcessor": {"size": {"shortest_edge": 64}, "crop_size": 48},
}


def difference(kind, settings, folder):
    """The mean difference of a picture from what transformers makes of it, levels of 256."""
    transformers = pytest.importorskip("transformers", reason="run pip install '.[parity]'")
    pytest.importorskip("torchvision")
    image = Image.fromarray(SMOOTH.astype(np.uint8))
    processor = getattr(transformers, kind)(**settings, do_normalize=False, do_convert_rgb=True)
    theirs = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0) * 255
    processor.save_pretrained(folder)
    metadata = reading.read_json_if_there(folder / "preprocessor_config.json")
    file = io.BytesIO()
    image.save(file, "PNG")
    ours = images.decode(file.getvalue(), **from_preprocessing(metadata, 224)._asdict())
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_transformers(kind, tmp_path):
    assert difference(kind, KINDS[kind], tmp_path) < 2


@pytest.mark.parametrize(
    ("config", "framing"),
    [
        ({}, Framing(160, 160, squash=True)),
        ({"size": 96, "feature_extractor_type": "ViTFeatureExtractor"}, Framing(96, 96, True)),
        (
            {"size": 96, "crop_size": 80, "feature_extractor_type": "CLIPFeatureExtractor"},
            Framing(80, 96),
        ),
        (
            {"size": {"shortest_edge": 96}, "crop_size": 80, "do_center_crop": False},
            Framing(96, 96),
        ),
        ({"size": {"height": 96, "width": 96}, "resample": 2}, Framing(96, 96, True, 2)),
    ],
)
def test_configs(config, framing):
    assert from_preprocessing(config, 160) == framing


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"size": {"height": 96, "width": 80}}, "only to squares"),
        ({"size": {"longest_edge": 96}}, "only to squares"),
        ({"do_resize": False}, "not resized or not divided by 255"),
        ({"rescale_factor": 1 / 127.5}, "Pixels multiplied by 0.0078"),
        ({"size": {"shortest_edge": 96}, "crop_size": 100}, "with a border around them"),
    ],
)
def test_other_configs_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        from_preprocessing(config, 160)

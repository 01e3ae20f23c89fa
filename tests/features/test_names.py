"""What an encoder of images was trained to tell apart, as an encoder of texts reads it."""

import numpy as np
import pytest
import tiny_encoders

from gentle_clip_jax.commands import aligners, options
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features import names
from gentle_clip_jax.features.loading import load_encoder

WORDS = ("red", "green", "blue")
IMAGES = {"encoder": "efficientnet-lite0", "role": None}


def test_the_classes_of_imagenet():
    classes = names.imagenet()
    assert len(classes) == 1000
    assert classes[0][0] == "tench"
    assert classes[1] == (
        "goldfish",
        "small golden or orange-red freshwater fishes of Eurasia used as pond or aquarium fishes",
    )
    assert all(name and definition and "," not in name for name, definition in classes)


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """The encoder of texts, as a folder of features says it; three classes in its words."""
    tiny_encoders.install(tmp_path, monkeypatch, WORDS, first=2)
    monkeypatch.setattr(pretrained, "folder", lambda source: tmp_path)
    classes = [("red", "red red red"), ("green", "green"), ("blue", "blue")]
    monkeypatch.setattr(names, "imagenet", lambda: classes)
    monkeypatch.setattr(names, "_classifier", lambda: np.eye(3, dtype=np.float32))
    metadata = load_encoder("minilm").metadata
    return {"encoder": "minilm", "role": None, "weights_sha256": metadata["weights_sha256"]}


def test_a_class_is_the_mean_of_its_name_and_its_definition(texts):
    classifier, rows = names.encoder_classes(IMAGES, texts, width=5)
    np.testing.assert_array_equal(classifier, np.eye(3, 5))
    # Tokens from [SEP] on; the prompt around a name says nothing to this encoder.
    np.testing.assert_array_equal(rows[:, 1:], [[2, 0, 0], [0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (None, {}, "encoded by efficientnet-lite0"),
        ({"encoder": "some/vit", "role": "image"}, {}, "encoded by efficientnet-lite0"),
        (IMAGES, None, "encode y with one, such as minilm"),
        (IMAGES, IMAGES, "encode y with one, such as minilm"),
        (IMAGES, {"weights_sha256": "others"}, "encode them again"),
    ],
)
def test_what_has_no_names(x, y, words, texts):
    y = y if y in (None, IMAGES) else {**texts, **y}
    with pytest.raises(ValueError, match=words):
        names.encoder_classes(x, y, width=3)


def test_the_command_asks_for_them_only_where_it_is_told_to():
    parser = options.Command()
    aligners.add(parser.add_subparsers())
    given = ["align", "--x=a", "--y=b", "--out=c"]
    assert parser.parse_args(given).classes is None
    assert parser.parse_args([*given, "--classes=encoder"]).classes == "encoder"

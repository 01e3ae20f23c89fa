"""Which layers of an encoder make its features."""

import pytest

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.efficientnet_lite import EfficientNetLite0
from gentle_clip_jax.encoders.esm2 import ESM2
from gentle_clip_jax.encoders.published.layers import with_layers


def test_rich_is_the_last_two_layers_of_texts_and_the_stages_of_images():
    assert with_layers(Bert(depth=6), "rich", of="minilm").layers == (5, 6)
    assert with_layers(EfficientNetLite0(), "rich", of="efficientnet-lite0").rich
    assert with_layers(Bert(), "0,3", of="minilm").layers == (0, 3)
    assert with_layers(Bert(), None, of="minilm") == Bert()


@pytest.mark.parametrize("layers", ["7", "-1", "5,", "", "last", "1.5", "5;6"])
def test_numbers_that_are_no_layers(layers):
    with pytest.raises(ValueError, match="must be rich, or numbers from 0 to 6"):
        with_layers(Bert(), layers, of="minilm")


def test_encoders_that_have_none():
    with pytest.raises(ValueError, match="efficientnet-lite0 takes --layers=rich"):
        with_layers(EfficientNetLite0(), "5", of="efficientnet-lite0")
    with pytest.raises(ValueError, match="esm takes no --layers"):
        with_layers(ESM2(), "rich", of="esm")

"""Items by free words and by likeness, with an encoder and without."""

import numpy as np
import pytest
from review_items import NUMBER, latent, sides

from gentle_clip_jax.reviewing.finding import Finder, Space
from gentle_clip_jax.searching.encoder import QueryEncoder


def made(side=None):
    """A finder whose encoder, if it has one, reads the number of an item of a side, but once."""
    x, y = latent()
    rows, read = {"x": x, "y": y}, []

    def embed(words):
        assert words not in read
        read.append(words)
        return rows[side][[int(words)]]

    encoder = QueryEncoder(side, embed)
    space = Space(x, y, lambda raw: raw, lambda raw: raw)
    return Finder(*sides(), space, (lambda: encoder) if side else None)


@pytest.mark.parametrize("side", ["x", "y"])
def test_words_go_through_the_encoder_and_the_latest_fit(side):
    finder = made(side)
    scores = finder.words("7")
    assert (len(scores["x"]), len(scores["y"])) == (NUMBER, NUMBER)
    assert np.argmax(scores[side]) == 7
    x, y = latent(noise=0)
    finder.space = Space(x[::-1], y[::-1], lambda raw: raw, lambda raw: raw)
    assert np.argmax(finder.words("7")["x"]) == NUMBER - 8
    assert np.argmax(finder.words("7", first=True)[side]) == 7


def test_words_are_embedded_by_a_fit_in_one_call_plain_and_smoothed():
    finder, (x, y), given = made("y"), latent(), []
    finder.fitted(Space(x, y, lambda raw: raw, lambda raw: given.append(raw) or raw))
    smoothing = QueryEncoder("y", lambda words: y[[int(words)]], lambda features: -features)
    finder._encoder = smoothing
    scores = finder.words("7")
    np.testing.assert_array_equal(given, [np.stack([y[7], -y[7]])])
    np.testing.assert_array_equal(scores["y"], y @ y[7])
    np.testing.assert_array_equal(scores["x"], x @ -y[7])


def test_without_an_encoder_words_are_looked_for_in_texts_and_names():
    finder = made()
    scores = finder.words("TEXT 12")
    assert np.argmax(scores["y"]) == 12
    assert scores["y"][12] == 1
    assert scores["y"][13] == 0.5
    with pytest.raises(ValueError, match="There is no encoder"):
        finder.words("cucumber")


def test_an_encoder_that_cannot_be_had_is_no_end():
    def refuse():
        raise ValueError("The weights are others.")

    x, y = latent()
    finder = Finder(*sides(), Space(x, y, lambda raw: raw, lambda raw: raw), refuse)
    assert np.argmax(finder.words("text 5")["y"]) == 5
    with pytest.raises(ValueError, match=r"No text .* The weights are others"):
        finder.words("cucumber")


@pytest.mark.parametrize("words", ["", " \n ", "a" * 301])
def test_no_words_and_too_many_are_refused(words):
    with pytest.raises(ValueError, match="300 characters at most"):
        made().words(words)


def test_what_is_like_an_item_comes_first():
    finder = made()
    assert np.argmax(finder.like("y", 4)["y"]) == 4
    for side, number in (("x", NUMBER), ("x", -1), ("z", 0)):
        with pytest.raises(ValueError, match="no such item"):
            finder.like(side, number)

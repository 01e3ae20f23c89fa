import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gentle_clip_jax.tasks.icons.tokens import PAD, encode, train_tokenizer

TEXTS = ["account box", "arrow left", "arrow right", "alpha a", "battery 50", "clock fast"]
TOKENIZER = train_tokenizer(TEXTS, 80)
SEEN = sorted(set("".join(TEXTS)) - {" "})
UNKNOWN = TOKENIZER.token_to_id("[UNK]")


@given(st.lists(st.text(SEEN, min_size=1, max_size=12), min_size=1, max_size=5))
@settings(deadline=None)
def test_words_of_seen_characters_are_never_unknown(words):
    ids = encode(TOKENIZER, [" ".join(words)], 64)
    assert not (ids == UNKNOWN).any()
    assert ids.max() < TOKENIZER.get_vocab_size()


def test_an_unseen_character_is_unknown():
    assert (encode(TOKENIZER, ["%"], 4) == UNKNOWN).any()


def test_padding_and_cutting():
    short, long = encode(TOKENIZER, ["arrow", "account arrow battery clock left right"], 5)
    assert short.dtype == np.int32
    assert short[0] != PAD
    assert (short[-1:] == PAD).all()
    assert (long != PAD).all()
    np.testing.assert_array_equal(
        encode(TOKENIZER, ["account arrow battery clock left right"], 3)[0], long[:3]
    )


def test_padding_is_no_token_of_a_text():
    assert TOKENIZER.token_to_id("[PAD]") == PAD
    ids = encode(TOKENIZER, TEXTS, 12)
    lengths = (ids != PAD).sum(axis=1)
    assert all((row[:length] != PAD).all() for row, length in zip(ids, lengths))


def test_seen_words_become_whole_tokens():
    frequent = train_tokenizer(["arrow left", "arrow right"] * 10, 200)
    assert (encode(frequent, ["arrow left"], 4)[0] != PAD).sum() == 2


def test_order_of_texts_changes_nothing():
    other = train_tokenizer(TEXTS[::-1], 80)
    np.testing.assert_array_equal(encode(other, TEXTS, 12), encode(TOKENIZER, TEXTS, 12))


def test_no_texts():
    assert encode(TOKENIZER, [], 7).shape == (0, 7)

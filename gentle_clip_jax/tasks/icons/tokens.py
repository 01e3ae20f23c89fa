"""Byte-pair tokens for short texts, learned from the training texts only."""

from collections.abc import Iterable, Sequence

import numpy as np

PAD = 0
_SPECIAL = ["[PAD]", "[UNK]"]


def train_tokenizer(texts: Iterable[str], vocab_size: int):
    """Learn byte-pair merges from `texts` and return a `tokenizers.Tokenizer`.

    Every character of the training texts is a token, so an unseen word is split into pieces and is
    never unknown. A mark precedes each word: with marks at the ends, characters would need a second
    token for the end of a word, and the trainer numbers those in a different order every time.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIAL[1]))
    # tokenizers builds its classes in Rust, without types for Python.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()  # type: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=_SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Return token ids [n, max_tokens] int32 of n texts, cut or padded with 0 to max_tokens."""
    ids = np.full((len(texts), max_tokens), PAD, np.int32)
    for row, encoding in zip(ids, tokenizer.encode_batch([str(t) for t in texts]), strict=True):
        token_ids = encoding.ids[:max_tokens]
        row[: len(token_ids)] = token_ids
    return ids

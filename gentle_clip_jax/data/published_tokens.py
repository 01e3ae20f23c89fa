"""Tokenizers of published text encoders, read from the files beside their weights."""

import pathlib
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np

from gentle_clip_jax.storage import reading

# Most characters of a text that are read for each token: far more than any language needs, and few
# enough that the text of a whole book takes no time.
_LETTERS = 256


class PublishedTokenizer(NamedTuple):
    """A callable from texts and max_tokens to token ids [n, max_tokens] int32.

    A row is a text between the special tokens that the encoder expects around it, then padding. A
    text that is too long is truncated, but its last special token stays.

    rules: a `tokenizers.Tokenizer`. pad_id: id of the padding.
    """

    rules: Any
    pad_id: int

    def __call__(self, texts: Iterable[str], max_tokens: int) -> np.ndarray:
        rows, _ = self.encode(texts, max_tokens)
        ids = np.full((len(rows), max_tokens), self.pad_id, np.int32)
        for padded, row in zip(ids, rows):
            padded[: len(row)] = row
        return ids

    @property
    def num_around(self) -> int:
        """Number of special tokens that are added to every text."""
        return self.rules.num_special_tokens_to_add(False)

    def encode(self, texts: Iterable[str], max_tokens: int) -> tuple[list[list[int]], int]:
        """Return the ids of each text without padding, and the number of truncated texts.

        Raises:
          ValueError: max_tokens leaves no room for a token of the text.
        """
        if max_tokens <= self.num_around:
            raise ValueError(
                f"Every text gets {self.num_around} special tokens: max_tokens must be more than "
                f"that, not {max_tokens}."
            )
        self.rules.enable_truncation(max_tokens)
        whole, most = [str(text) for text in texts], _LETTERS * max_tokens
        encodings = self.rules.encode_batch([text[:most] for text in whole])
        were_cut = [bool(e.overflowing) or len(text) > most for e, text in zip(encodings, whole)]
        return [e.ids for e in encodings], sum(were_cut)


def read_tokenizer(folder: pathlib.Path) -> PublishedTokenizer:
    """Return the tokenizer of the text encoder in `folder`.

    It is read from Hugging Face's tokenizer.json, else from BERT's vocab.txt. tokenizer_config.json
    or config.json give the padding, by default 0.

    Raises:
      ValueError: there is no tokenizer, or it is damaged.
    """
    for name, reader in (("tokenizer.json", _read_whole), ("vocab.txt", _read_bert)):
        if (folder / name).is_file():
            try:
                reading.check_size((folder / name).stat().st_size)
                rules = reader(folder)
            except ValueError:
                raise
            except Exception as error:  # the library raises bare Exceptions
                raise ValueError(
                    f"The tokenizer in {folder} ({name}) is damaged: {error}."
                ) from error
            rules.no_padding()
            return PublishedTokenizer(rules, _pad_id(folder, rules))
    raise ValueError(
        f"{folder} has no tokenizer: copy tokenizer.json into it from the page of the model."
    )


def _read_whole(folder: pathlib.Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _read_bert(folder: pathlib.Path) -> Any:
    from tokenizers import BertWordPieceTokenizer

    settings = reading.read_json_if_there(folder / "tokenizer_config.json", _Rules)
    rules = BertWordPieceTokenizer(
        str(folder / "vocab.txt"),
        lowercase=settings.get("do_lower_case") is not False,
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars") is not False,
    )
    if rules.token_to_id("[UNK]") is None:  # else the first unknown word would fail
        raise ValueError(
            f"vocab.txt in {folder} has no [UNK]: copy it again from the page of the model."
        )
    return rules


class _Token(msgspec.Struct):
    content: str | None = None


class _Rules(msgspec.Struct):
    """The keys that are read from tokenizer_config.json."""

    pad_token: str | _Token | None = None
    do_lower_case: bool | None = None
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool | None = None


class _Model(msgspec.Struct):
    """The keys that are read from a model's config.json."""

    pad_token_id: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None


def _pad_id(folder: pathlib.Path, rules: Any) -> int:
    token = reading.read_json_if_there(folder / "tokenizer_config.json", _Rules).get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    number = rules.token_to_id(token) if token else None
    if number is not None:
        return number
    return reading.read_json_if_there(folder / "config.json", _Model).get("pad_token_id") or 0

"""Tokenizers of published encoders beside transformers'."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from gentle_clip_jax.data import published_tokens

START, END = "<|startoftext|>", "<|endoftext|>"
TEXTS = [
    "Two boats at the pier.",
    "  TWO\tBoats \n\n pier ",
    "It's a dog's life, they'll say: don't!",
    "2026 boats, 3.14 m (12:30)",
    "naïve café, cafe\u0301, Straße; 港の船 🚤 — “quoted”",
    "boatpierboat " * 30,
    "",
    f"a {END} b",
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """transformers' tokenizer of CLIP, with merges learned from a few words."""
    transformers = pytest.importorskip("transformers", reason="run pip install '.[parity]'")
    folder = tmp_path_factory.mktemp("clip")
    tokenizer = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocab = model["vocab"]
    ends = {f"{letter}</w>": None for letter in letters} | dict.fromkeys((START, END))
    vocab |= {token: len(vocab) + i for i, token in enumerate(t for t in ends if t not in vocab)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    merges = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    files = {"vocab": str(folder / "vocab.json"), "merges": str(folder / "merges.txt")}
    return transformers.CLIPTokenizer(**files)


def theirs(tokenizer, max_tokens):
    rows = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=max_tokens)
    return np.array(rows["input_ids"])


@pytest.mark.parametrize("max_tokens", [3, 12, 77])
def test_clip(max_tokens, clip, tmp_path):
    clip.save_pretrained(tmp_path)
    ours = published_tokens.read_tokenizer(tmp_path)(TEXTS, max_tokens)
    assert ours.dtype == np.int32
    np.testing.assert_array_equal(ours, theirs(clip, max_tokens))


def test_cut_texts_keep_their_end_and_are_counted(clip, tmp_path):
    clip.save_pretrained(tmp_path)
    tokenizer = published_tokens.read_tokenizer(tmp_path)
    start, end = (tokenizer.rules.token_to_id(token) for token in (START, END))
    rows, num_cut = tokenizer.encode(TEXTS, 6)
    assert num_cut == sum(len(row) > 6 for row in tokenizer.encode(TEXTS, 500)[0]) > 2
    assert all(row[0] == start and row[-1] == end for row in rows)
    assert tokenizer.num_around == 2
    with pytest.raises(
        ValueError, match="Every text gets 2 special tokens: max_tokens must be more"
    ):
        tokenizer(TEXTS, 2)


@pytest.mark.parametrize("lowercase", [True, False])
def test_bert(lowercase, tmp_path):
    transformers = pytest.importorskip("transformers", reason="run pip install '.[parity]'")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "two", "Two", "boat", "##s", "pier", "."]
    (tmp_path / "vocab.txt").write_text("\n".join([*words, "cafe", "café", "港", "'", "s"]))
    tokenizer = transformers.BertTokenizer(
        vocab=str(tmp_path / "vocab.txt"), do_lower_case=lowercase
    )
    expected = theirs(tokenizer, 9)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    np.testing.assert_array_equal(published_tokens.read_tokenizer(tmp_path)(TEXTS, 9), expected)
    tokenizer.save_pretrained(tmp_path / "new")
    new = published_tokens.read_tokenizer(tmp_path / "new")
    np.testing.assert_array_equal(new(TEXTS, 9), expected)


def test_words_without_one_for_the_unknown_are_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[CLS]", "[SEP]", "two", "boats"]))
    with pytest.raises(ValueError, match=r"vocab.txt in .* has no \[UNK\]: copy it again"):
        published_tokens.read_tokenizer(tmp_path)


def words(folder, *tokens):
    Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token=tokens[-1])).save(
        str(folder / "tokenizer.json")
    )


@pytest.mark.parametrize(
    ("files", "pad_id"),
    [
        ({}, 0),
        ({"config": {"pad_token_id": 2}}, 2),
        ({"tokenizer_config": {"pad_token": "<pad>"}, "config": {"pad_token_id": 2}}, 1),
        ({"tokenizer_config": {"pad_token": {"content": "<pad>"}}}, 1),
        ({"tokenizer_config": {"pad_token": "elsewhere"}}, 0),
    ],
)
def test_the_padding(files, pad_id, tmp_path):
    words(tmp_path, "a", "<pad>", "b")
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    tokenizer = published_tokens.read_tokenizer(tmp_path)
    np.testing.assert_array_equal(tokenizer(["a"], 3), [[0, pad_id, pad_id]])
    assert tokenizer([], 3).shape == (0, 3)


def test_what_is_no_tokenizer(tmp_path):
    with pytest.raises(ValueError, match=r"has no tokenizer: copy tokenizer.json into it"):
        published_tokens.read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(ValueError, match=r"tokenizer.json\) is damaged"):
        published_tokens.read_tokenizer(tmp_path)
    words(tmp_path, "a", "b")
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer_config.json is no sound .json file"):
        published_tokens.read_tokenizer(tmp_path)

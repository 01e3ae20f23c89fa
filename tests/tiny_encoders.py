"""Encoders that take no time, and a folder of pictures, for tests of what features are for."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
from PIL import Image

from gentle_clip_jax.commands import main
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.features import encode
from gentle_clip_jax.features.read import read
from gentle_clip_jax.storage.records import read_record

COLOURS = {"a": (250, 0, 0), "b": (0, 250, 0), "c": (0, 0, 250), "d": (9, 9, 9), "e": (99, 0, 9)}


class MeanColour(nn.Module):
    @nn.compact
    def __call__(self, images):
        scale = self.param("scale", nn.initializers.ones, ())
        return images.astype(jnp.float32).mean(axis=(1, 2)) * scale


class BagOfTokens(nn.Module):
    """How often each of six tokens is in a text, from the `first` of them on."""

    first: int = 0

    @nn.compact
    def __call__(self, tokens):
        table = self.param("table", nn.initializers.ones, (6, 6))
        one_hot = jax.nn.one_hot(tokens, 6) * (tokens != 0)[..., None].astype(jnp.float32)
        return (one_hot.sum(axis=1) * table[:1])[:, self.first :]


def encode_images(data, out, **keywords):
    encode.encode(data, out, encoder="efficientnet-lite0", **keywords)
    return read(out)


def encode_texts(data, out, **keywords):
    encode.encode(data, out, encoder="minilm", **keywords)
    return read(out)


def manifest(out):
    return read_record(out / "manifest.json")


def install(folder, monkeypatch, words=("boat", "pier", "[UNK]"), first=0):
    """Puts them in the place of the packaged encoders, with their files in the folder.

    words: the three that texts are made of; without "[UNK]" others count for nothing.
    first: number of the first token that is counted.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocab = {word: i for i, word in enumerate(["[PAD]", "[CLS]", "[SEP]", *words])}
    unknown = "[UNK]" if "[UNK]" in words else "[PAD]"
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "weights").write_bytes(b"weights")

    def load(model, inputs, role, max_tokens=None):
        params = model.init(jax.random.key(0), inputs)["params"]
        return pretrained.Pretrained(model, params, folder / "weights", role, max_tokens)

    colour = load(MeanColour(), jnp.zeros((1, 224, 224, 3)), "image")
    bag = load(BagOfTokens(first), jnp.zeros((1, 8), jnp.int32), "text", 256)
    monkeypatch.setattr(pretrained, "efficientnet_lite0", lambda: colour)
    monkeypatch.setattr(pretrained, "minilm", lambda: bag)


def paint(folder):
    """A picture of each colour, and metadata.jsonl with their splits."""
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (10, 12), colour).save(folder / f"{name}.png")
    rows = [{"id": name, "split": "train" if name < "d" else "test"} for name in COLOURS]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def encode_by_command(data, out, *options):
    """`gentle-clip encode` of a file of texts or a folder of pictures; its exit status."""
    encoder = "minilm" if data.suffix else "efficientnet-lite0"
    return main.main(["encode", f"--encoder={encoder}", f"--data={data}", f"--out={out}", *options])

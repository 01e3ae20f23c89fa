"""Text encoders of the BERT family: BERT, MiniLM, SimCSE, BiomedBERT; RoBERTa too."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.pre_norm import attend, parameter_names
from gentle_clip_jax.encoders.published.weight_files import spelled

# Of a checkpoint, the weights that the model has no place for.
UNUSED = (
    r"(?:cls|lm_head|classifier|qa_outputs|mlp)\..*|(?:\w+\.)?embeddings\.position_ids"
    r"|(?:\w+\.)?pooler\..*"
)


class Block(nn.Module):
    """x [b, t, width] -> [b, t, width], each part added and then normed; where [b, t] bool."""

    num_heads: int
    hidden: int
    epsilon: float = 1e-12
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, where: Array, *, train: bool = False) -> Array:
        width = x.shape[-1]
        drop = nn.Dropout(self.dropout, deterministic=not train)
        h = attend(x, self.num_heads, self.dtype, where=where)
        x = self._norm("attention_norm", x + drop(h))
        h = nn.Dense(self.hidden, dtype=self.dtype, name="expand")(x)
        h = nn.gelu(h, approximate=False)
        h = nn.Dense(width, dtype=self.dtype, name="project")(h)
        return self._norm("norm", x + drop(h))

    def _norm(self, name: str, x: Array) -> Array:
        return nn.LayerNorm(self.epsilon, dtype=jnp.float32, name=name)(x).astype(self.dtype)


class Bert(nn.Module):
    """Token ids [b, t] int, pad_id = padding, at a row's end -> float32 features [b, width].

    `pooling`: "mean" over a text's tokens, as sentence encoders, or "class", the first token. Rows
    are not of unit length. `layers`: the numbers of blocks whose outputs are pooled, side by side,
    0 what the first block sees; the last alone if none are given. RoBERTa numbers positions from
    pad_id + 1 on: `first_position`. All tokens are of the first segment. Attention itself has no
    dropout. The defaults are those of all-MiniLM-L6-v2.

    Source: Devlin et al., arXiv 1810.04805; Reimers and Gurevych, arXiv 1908.10084, the mean;
    Gao et al., arXiv 2104.08821, the class token; Liu et al., arXiv 1907.11692, RoBERTa.
    """

    vocab_size: int = 30522
    width: int = 384
    depth: int = 6
    num_heads: int = 12
    hidden: int = 1536
    max_tokens: int = 512
    num_segments: int = 2
    pad_id: int = 0
    first_position: int = 0
    pooling: Literal["mean", "class"] = "mean"
    layers: tuple[int, ...] = ()
    epsilon: float = 1e-12
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: Array, *, train: bool = False) -> Array:
        length = tokens.shape[1]
        if length > self.max_tokens:
            raise ValueError(
                f"Texts of {length} tokens are longer than the {self.max_tokens} that this encoder "
                "was made for: cut them."
            )
        where = tokens != self.pad_id
        words = nn.Embed(self.vocab_size, self.width, name="words")(tokens)
        positions = nn.Embed(self.first_position + self.max_tokens, self.width, name="positions")(
            jnp.arange(length) + self.first_position
        )
        segments = nn.Embed(self.num_segments, self.width, name="segments")(jnp.zeros(1, jnp.int32))
        x = words + (positions + segments)[None]
        x = nn.LayerNorm(self.epsilon, dtype=jnp.float32, name="embedding_norm")(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x.astype(self.dtype))
        outputs = [x]
        for i in range(self.depth):
            x = Block(
                self.num_heads,
                self.hidden,
                self.epsilon,
                self.dropout,
                self.dtype,
                name=f"block_{i}",
            )(x, where, train=train)
            outputs.append(x)
        chosen = [outputs[i] for i in self.layers or (self.depth,)]
        x = jnp.concatenate(chosen, axis=-1).astype(jnp.float32)
        if self.pooling == "mean":
            weight = where[..., None].astype(jnp.float32)
            return (x * weight).sum(axis=1) / jnp.maximum(weight.sum(axis=1), 1.0)
        return x[:, 0]


def from_config(config: Mapping[str, Any], pooling: str = "mean") -> Bert:
    """Return the encoder of a Hugging Face config.json, of type bert, roberta or alike.

    Raises:
      ValueError: its architecture or pooling is not supported.
    """
    kind = config.get("model_type")
    if kind not in ("bert", "roberta", "xlm-roberta", "camembert"):
        raise ValueError(f"A model of the type {kind} is no BERT: choose another folder.")
    if pooling not in ("mean", "class"):
        raise ValueError(f"pooling must be mean or class, not {pooling}.")
    if (
        config.get("hidden_act", "gelu") != "gelu"
        or config.get("position_embedding_type", "absolute") != "absolute"
    ):
        raise ValueError("config.json asks for a hidden_act or positions that are not supported.")
    pad_id = config.get("pad_token_id", 0 if kind == "bert" else 1)
    first = 0 if kind == "bert" else pad_id + 1
    return Bert(
        vocab_size=config.get("vocab_size", 30522),
        width=config.get("hidden_size", 768),
        depth=config.get("num_hidden_layers", 12),
        num_heads=config.get("num_attention_heads", 12),
        hidden=config.get("intermediate_size", 3072),
        max_tokens=config.get("max_position_embeddings", 512) - first,
        num_segments=config.get("type_vocab_size", 2),
        pad_id=pad_id,
        first_position=first,
        pooling=pooling,  # type: ignore[reportArgumentType]
        epsilon=config.get("layer_norm_eps", 1e-12),
    )


def checkpoint_names(model: Bert, weights: Iterable[str] = ()) -> dict[str, str]:
    """Map the names of the parameters to names among `weights`, whose layout they show.

    Some checkpoints have names that begin with the architecture's, some call a norm's scale gamma.
    """
    weights = set(weights)
    end = "embeddings.word_embeddings.weight"
    prefix = next((name.removesuffix(end) for name in weights if name.endswith(end)), "")
    names = {
        f"{ours}/embedding": f"embeddings.{theirs}_embeddings.weight"
        for ours, theirs in (
            ("words", "word"),
            ("positions", "position"),
            ("segments", "token_type"),
        )
    }
    layers = {"embedding_norm": "embeddings.LayerNorm"}
    for i in range(model.depth):
        norms = {"attention_norm": "attention.output.LayerNorm", "norm": "output.LayerNorm"}
        layers |= block_layers(f"block_{i}", f"encoder.layer.{i}", norms)
    names |= parameter_names(layers)
    return {ours: spelled(prefix + theirs, weights) for ours, theirs in names.items()}


def block_layers(ours: str, theirs: str, norms: Mapping[str, str]) -> dict[str, str]:
    """Map the names of a block's layers, `norms` among them, to names in a checkpoint."""
    layers = {name: f"attention.self.{name}" for name in ("query", "key", "value")}
    layers |= {"out": "attention.output.dense", "expand": "intermediate.dense"}
    layers |= {"project": "output.dense", **norms}
    return {f"{ours}/{name}": f"{theirs}.{their_name}" for name, their_name in layers.items()}

"""The MiniLM sentence encoder: a small BERT and the mean over its tokens; for inference alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

# Of a published checkpoint: the pooling that BERT was first trained with, and the position numbers.
UNUSED = r"pooler\..*|embeddings\.position_ids"
_EPSILON = 1e-12


class Layer(nn.Module):
    """x [b, t, width] -> [b, t, width], each part added and then normed; where [b, t] bool."""

    num_heads: int
    hidden: int

    @nn.compact
    def __call__(self, x: Array, where: Array) -> Array:
        width = x.shape[-1]
        heads = (*x.shape[:2], self.num_heads, width // self.num_heads)
        q, k, v = (
            nn.Dense(width, name=name)(x).reshape(heads) for name in ("query", "key", "value")
        )
        h = jax.nn.dot_product_attention(q, k, v, mask=where[:, None, None, :])
        h = nn.Dense(width, name="out")(h.reshape(x.shape))
        x = nn.LayerNorm(_EPSILON, name="attention_norm")(x + h)
        h = nn.gelu(nn.Dense(self.hidden, name="expand")(x), approximate=False)
        h = nn.Dense(width, name="project")(h)
        return nn.LayerNorm(_EPSILON, name="norm")(x + h)


class SentenceEncoder(nn.Module):
    """Token ids [b, t] int, 0 = padding, t <= 512 -> float32 [b, width], the mean over real tokens.

    The defaults are those of all-MiniLM-L6-v2. Rows are not of unit length.

    Source: Devlin et al., arXiv 1810.04805; Reimers and Gurevych, arXiv 1908.10084, mean pooling;
    Wang et al., arXiv 2002.10957, the weights' architecture.
    """

    vocab_size: int = 30522
    width: int = 384
    depth: int = 6
    num_heads: int = 12
    hidden: int = 1536
    max_tokens: int = 512

    @nn.compact
    def __call__(self, tokens: Array) -> Array:
        where = tokens != 0
        words = nn.Embed(self.vocab_size, self.width, name="words")(tokens)
        positions = nn.Embed(self.max_tokens, self.width, name="positions")(
            jnp.arange(tokens.shape[1])
        )
        # BERT tells a first sentence from a second; here all are first ones.
        segments = nn.Embed(2, self.width, name="segments")(jnp.zeros(1, jnp.int32))
        x = words + (positions + segments)[None]
        x = nn.LayerNorm(_EPSILON, name="norm")(x)
        for i in range(self.depth):
            x = Layer(self.num_heads, self.hidden, name=f"layer_{i}")(x, where)
        weight = where[..., None].astype(jnp.float32)
        return (x * weight).sum(axis=1) / jnp.maximum(weight.sum(axis=1), 1.0)


def checkpoint_names(depth: int = 6) -> dict[str, str]:
    """Names of the parameters -> names in a BERT checkpoint of `depth` layers."""
    names = {
        f"{ours}/embedding": f"embeddings.{theirs}_embeddings.weight"
        for ours, theirs in (
            ("words", "word"),
            ("positions", "position"),
            ("segments", "token_type"),
        )
    }
    norms = {"norm": "embeddings.LayerNorm"}
    dense = {}
    for i in range(depth):
        ours, theirs = f"layer_{i}", f"encoder.layer.{i}"
        for name in ("query", "key", "value"):
            dense[f"{ours}/{name}"] = f"{theirs}.attention.self.{name}"
        dense[f"{ours}/out"] = f"{theirs}.attention.output.dense"
        dense[f"{ours}/expand"] = f"{theirs}.intermediate.dense"
        dense[f"{ours}/project"] = f"{theirs}.output.dense"
        norms[f"{ours}/attention_norm"] = f"{theirs}.attention.output.LayerNorm"
        norms[f"{ours}/norm"] = f"{theirs}.output.LayerNorm"
    for leaf, layers in (("kernel", dense), ("scale", norms)):
        for ours, theirs in layers.items():
            names[f"{ours}/{leaf}"] = f"{theirs}.weight"
            names[f"{ours}/bias"] = f"{theirs}.bias"
    return names

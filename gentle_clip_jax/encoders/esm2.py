"""ESM-2, a transformer of protein sequences with rotary positions."""

import functools
from collections.abc import Collection, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.bert import block_layers
from gentle_clip_jax.encoders.pre_norm import attend, parameter_names
from gentle_clip_jax.encoders.published.weight_files import spelled

# Of a published checkpoint: heads that features do not need, position numbers, a table of positions
# that rotary models never read, and copies of the rotary frequencies.
UNUSED = (
    r"lm_head\..*|(esm\.)?(pooler\..*|contact_head\..*|embeddings\.position_ids"
    r"|embeddings\.position_embeddings\.weight"
    r"|encoder\.layer\.[1-9]\d*\.attention\.self\.rotary_embeddings\.inv_freq)"
)
# Of training: 15 % of tokens were chosen, and 80 % of those replaced by <mask>.
_MASKED_IN_TRAINING = 0.15 * 0.8


class Block(nn.Module):
    """x [b, t, width] -> [b, t, width], each part normed first and then added; where [b, t] bool.

    `angles` [t, width / num_heads / 2] turn the queries and keys.
    """

    num_heads: int
    hidden: int
    epsilon: float = 1e-5
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, angles: Array, where: Array, *, train: bool = False) -> Array:
        width = x.shape[-1]
        drop = nn.Dropout(self.dropout, deterministic=not train)
        h = _norm(self.epsilon, "attention_norm")(x).astype(self.dtype)
        turn = functools.partial(_rotate, angles=angles)
        h = attend(h, self.num_heads, self.dtype, where=where, turn=turn)
        x = x + drop(h).astype(jnp.float32)
        h = _norm(self.epsilon, "norm")(x).astype(self.dtype)
        h = nn.Dense(self.hidden, dtype=self.dtype, name="expand")(h)
        h = nn.Dense(width, dtype=self.dtype, name="project")(nn.gelu(h, approximate=False))
        return x + drop(h).astype(jnp.float32)


class ESM2(nn.Module):
    """Token ids [b, t] int -> float32 features [b, width], the mean over residues.

    A row is <cls>, its residues, <eos>, padding. The mean leaves out all but the residues; without
    `mean` the outputs [b, t, width] for all tokens are given. Any t will do: positions are turns of
    the queries and keys. Attention needs b num_heads t^2 numbers.

    With `token_dropout` the embedding of <mask> is 0, and those of a row are scaled by
    (1 - 0.12) / (1 - m), where m is the share of <mask> in it: without one, as in training.

    The defaults are those of 8 million parameters; 35 million: width 480, depth 12, hidden 1920;
    150 million: 640, 30, 2560; 650 million: 1280, 33, 5120; all with 20 heads.

    Source: Lin et al., Science 379:1123 (2023), appendix A.1; Su et al., arXiv 2104.09864,
    equation 34, the rotary positions.
    """

    vocab_size: int = 33
    width: int = 320
    depth: int = 6
    num_heads: int = 20
    hidden: int = 1280
    epsilon: float = 1e-5
    theta: float = 10000.0
    token_dropout: bool = True
    norm_before: bool = False
    cls_id: int = 0
    pad_id: int = 1
    eos_id: int = 2
    mask_id: int = 32
    dropout: float = 0.0
    mean: bool = True
    dtype: DTypeLike = jnp.float32

    def __call__(self, tokens: Array, *, train: bool = False) -> Array:
        x, where = self.residues(tokens, train=train)
        if not self.mean:
            return x
        weight = where[..., None].astype(jnp.float32)
        return (x * weight).sum(axis=1) / jnp.maximum(weight.sum(axis=1), 1.0)

    @nn.compact
    def residues(self, tokens: Array, *, train: bool = False) -> tuple[Array, Array]:
        """Return outputs float32 [b, t, width] of tokens, and the mask [b, t] of residues."""
        where = tokens != self.pad_id
        x = nn.Embed(self.vocab_size, self.width, name="words")(tokens)
        if self.token_dropout:
            x = self._drop_masked(x, tokens, where)
        if self.norm_before:
            x = _norm(self.epsilon, "norm_before")(x)
        x = jnp.where(where[..., None], x, 0.0)
        frequencies = self.param("frequencies", self._frequencies)
        # Published as rounded numbers, and no part of what is learned.
        frequencies = jax.lax.stop_gradient(frequencies)
        angles = jnp.arange(tokens.shape[1], dtype=jnp.float32)[:, None] * frequencies[None]
        for i in range(self.depth):
            x = Block(
                self.num_heads,
                self.hidden,
                self.epsilon,
                self.dropout,
                self.dtype,
                name=f"block_{i}",
            )(x, angles, where, train=train)
        x = _norm(self.epsilon, "norm")(x)
        return x, where & (tokens != self.cls_id) & (tokens != self.eos_id)

    def _drop_masked(self, x: Array, tokens: Array, where: Array) -> Array:
        masked = tokens == self.mask_id
        num_masked, num = masked.sum(axis=1), jnp.maximum(where.sum(axis=1), 1)
        # A row of nothing but <mask> is 0 at any scale.
        unmasked = jnp.maximum((num - num_masked) / num, 1e-6).astype(jnp.float32)
        scale = (1 - _MASKED_IN_TRAINING) / unmasked
        return jnp.where(masked[..., None], 0.0, x * scale[:, None, None])

    def _frequencies(self, _: Array) -> Array:
        size = self.width // self.num_heads
        exponents = jnp.arange(0, size, 2, dtype=jnp.float32) / size
        return 1.0 / self.theta**exponents


def _norm(epsilon: float, name: str) -> nn.LayerNorm:
    # Some channels are large in all tokens: the fast form of the variance would cancel.
    return nn.LayerNorm(epsilon, dtype=jnp.float32, use_fast_variance=False, name=name)


def _rotate(x: Array, angles: Array) -> Array:
    """x [b, t, heads, size]: the pairs (i, i + size / 2) turned by angles [t, size / 2]."""
    cos, sin = jnp.cos(angles)[None, :, None], jnp.sin(angles)[None, :, None]
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = [first * cos - second * sin, second * cos + first * sin]
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)


def from_config(config: Mapping[str, Any]) -> ESM2:
    """Return the model that a Hugging Face config.json describes.

    Raises:
      ValueError: it is of another architecture, or its positions are not rotary.
    """
    if config.get("model_type") != "esm":
        raise ValueError(f"The config is of {config.get('model_type')!r}: ESM-2 needs 'esm'.")
    if config.get("position_embedding_type") != "rotary":
        raise ValueError(
            f"The config has {config.get('position_embedding_type')!r} positions, as ESM-1 had: "
            "choose a checkpoint of ESM-2."
        )
    return ESM2(
        vocab_size=config["vocab_size"],
        width=config["hidden_size"],
        depth=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        epsilon=config["layer_norm_eps"],
        theta=config.get("rope_theta", 10000.0),
        token_dropout=bool(config.get("token_dropout")),
        norm_before=bool(config.get("emb_layer_norm_before")),
        pad_id=config["pad_token_id"],
        mask_id=config["mask_token_id"],
    )


def checkpoint_names(depth: int, weights: Collection[str]) -> dict[str, str]:
    """Map the names of the parameters to names in a checkpoint of EsmModel or EsmForMaskedLM.

    `weights` are the names in the checkpoint: they tell how it was saved. Older ones have the
    rotary frequencies once in each layer, all the same; some of transformers 5 have them for the
    layer "*".
    """
    prefix = "esm." if any(name.startswith("esm.") for name in weights) else ""
    of_layer = "encoder.layer.{}.attention.self.rotary_embeddings.inv_freq"
    spellings = (of_layer.format(0), of_layer.format("*"), "rotary_embeddings.inv_freq")
    frequencies = next((s for s in spellings if prefix + s in weights), spellings[-1])
    names = {
        "frequencies": frequencies,
        "words/embedding": "embeddings.word_embeddings.weight",
    }
    layers = {"norm_before": "embeddings.layer_norm", "norm": "encoder.emb_layer_norm_after"}
    for i in range(depth):
        norms = {"attention_norm": "attention.LayerNorm", "norm": "LayerNorm"}
        layers |= block_layers(f"block_{i}", f"encoder.layer.{i}", norms)
    names |= parameter_names(layers)
    return {ours: spelled(prefix + theirs, weights) for ours, theirs in names.items()}

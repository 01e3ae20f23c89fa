"""Tower of protein sequences with a published language model, ESM-2."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections

from gentle_clip_jax.data.sequences import ESM2_ALPHABET
from gentle_clip_jax.encoders.fine_tuning import FineTuned
from gentle_clip_jax.encoders.protein_language import LanguageEncoder
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.tasks.proteins.domains import AMINO_ACIDS

# ESM-2's ids of the amino acids, an unknown one, PADDING and MASK, in the order of our tokens.
IDS = tuple(ESM2_ALPHABET.index(one) for one in (*AMINO_ACIDS, "X", "<pad>", "<mask>"))


def tower(config: ml_collections.ConfigDict) -> LanguageEncoder:
    """Return the tower that config.model.language describes, without its weights.

    Raises:
      ValueError: its encoder is not an ESM-2 checkpoint, or has fewer blocks than trained_blocks.
    """
    settings = dict(config.model.language)
    model = _load(settings.pop("encoder")).model
    model = model.clone(mean=False, dtype=jnp.dtype(config.model.dtype))
    return LanguageEncoder(
        FineTuned(model, **settings),
        ids=IDS,
        first=model.cls_id,
        last=model.eos_id,
        dim=config.model.embedding_dim,
        dropout=config.model.sequence.dropout,
        dtype=jnp.dtype(config.model.dtype),
    )


def with_published(config: ml_collections.ConfigDict, model: Any, params: Any) -> Any:
    """Return `params` with the published weights in x_tower, which must be a `tower`."""
    published = jax.tree.map(jnp.asarray, _load(config.model.language.encoder).params)
    parts = model.x_tower.language.parts(jax.random.key(config.seed), published)
    return {**params, "x_tower": {**params["x_tower"], "language": parts}}


@functools.lru_cache(maxsize=1)
def _load(encoder: str) -> pretrained.Pretrained:
    return pretrained.load(encoder, role="sequence")

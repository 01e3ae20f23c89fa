"""A published language model, ESM-2, as the tower of protein sequences."""

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

# Of amino acids, an unknown one, PADDING and MASK, in the order of their tokens.
IDS = tuple(ESM2_ALPHABET.index(one) for one in (*AMINO_ACIDS, "X", "<pad>", "<mask>"))


def tower(config: ml_collections.ConfigDict) -> LanguageEncoder:
    """Return the tower that config.model.language describes, without its weights.

    Raises:
      ValueError: its encoder is no checkpoint of ESM-2, or has fewer blocks than are to be trained.
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
    """Return `params` of a model whose x_tower is a `tower`, with the weights of the checkpoint."""
    published = jax.tree.map(jnp.asarray, _load(config.model.language.encoder).params)
    parts = model.x_tower.language.parts(jax.random.key(config.seed), published)
    return {**params, "x_tower": {**params["x_tower"], "language": parts}}


@functools.lru_cache(maxsize=1)
def _load(encoder: str) -> pretrained.Pretrained:
    return pretrained.load(encoder, role="sequence")

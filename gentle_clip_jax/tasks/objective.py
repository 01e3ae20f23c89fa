"""The objective of a batch, as the config weighs its terms."""

import jax
import jax.numpy as jnp
import ml_collections

from gentle_clip_jax import losses

FORMS = {"stable": losses.gentle_clip_loss, "official": losses.official.gentle_clip_loss}
_OURS = ("clip_weight", "mmd_weight", "sdd_weight", "ssl_weight", "ssl_temperature")
_OURS += ("sdd_bandwidth",)


def gentle_clip(
    x: jax.Array,
    y: jax.Array,
    temperature: jax.Array,
    num_matched: int,
    config: ml_collections.ConfigDict,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The objective of embeddings x and y [n, d], or [2 n, d] where second views follow.

    `config` is config.loss.
    """
    options = {name: config[name] for name in _OURS}
    if config.ssl_weight:
        (x, options["x_view"]), (y, options["y_view"]) = jnp.split(x, 2), jnp.split(y, 2)
    return FORMS[config.form](x, y, num_matched=num_matched, temperature=temperature, **options)

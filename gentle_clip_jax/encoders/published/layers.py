"""Outputs of an encoder's inner layers, by name or by number."""

from typing import Any

from gentle_clip_jax.encoders.bert import Bert
from gentle_clip_jax.encoders.efficientnet_lite import EfficientNetLite0

RICH = "rich"


def with_layers(model: Any, layers: str | None, *, of: str) -> Any:
    """Return the model with features from some layers, side by side.

    Args:
      model: an encoder.
      layers: "rich", what the encoders that ship with weights give best: of EfficientNet-Lite0 its
        head and its last two stages, of MiniLM its last two layers; or
        numbers of blocks, such as "5,6", 0 what the first block sees; None for the last alone.
      of: the encoder's name, for messages.

    Raises:
      ValueError: the encoder has no such layers.
    """
    if layers is None:
        return model
    if layers == RICH and isinstance(model, EfficientNetLite0):
        return model.clone(rich=True)
    if not isinstance(model, Bert):
        can = f"--layers={RICH}" if isinstance(model, EfficientNetLite0) else "no --layers"
        raise ValueError(f"--layers={layers}: {of} takes {can}.")
    depth = model.depth
    if layers == RICH:
        return model.clone(layers=(depth - 1, depth))
    numbers = layers.split(",")
    if not all(number.isdecimal() and int(number) <= depth for number in numbers):
        raise ValueError(
            f"--layers={layers} must be {RICH}, or numbers from 0 to {depth} as in "
            f"--layers={depth - 1},{depth}: {of} has {depth} blocks."
        )
    return model.clone(layers=tuple(int(number) for number in numbers))

"""Engines that decode and embed, in this process or elsewhere; `encode` treats all alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gentle_clip_jax.features.work import Work

Part = tuple[list[Any], list[str]]  # some inputs of a work, and the digests of their contents

# The parts of a work -> the number of a part, from 0; features [b, d] of its next b inputs; and b
# reasons why there are none, None where there are.
Engine = Callable[[Work, Iterable[Part]], Iterator[tuple[int, np.ndarray, list[str | None]]]]


def in_this_process(
    work: Work, parts: Iterable[Part]
) -> Iterator[tuple[int, np.ndarray, list[str | None]]]:
    """Embed one part after another in this process."""
    embed = work.load()
    for number, (inputs, digests) in enumerate(parts):
        for features, reasons in embed(work.decode(inputs, digests)):
            yield number, features, reasons

"""A frozen encoder on a device, applied to decoded inputs."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.encoders.published import onnx_runtime
from gentle_clip_jax.encoders.published.pretrained import Pretrained
from gentle_clip_jax.features.encoder import Embed, Stacked
from gentle_clip_jax.parallel.cores import count_cores


def embedder(
    start: Callable[[], Callable[[Any], np.ndarray]],
    stack: Callable[[Sequence[Any]], tuple[Any, list[str | None]]],
    batch_size: int,
    *,
    on_cpu: int | None = None,
    fill: bool = True,
) -> Callable[[], Embed]:
    """Return a function that puts an encoder on a device and returns its embedding function.

    Args:
      start: puts the encoder on a device, and returns the function from stacked inputs to features.
      stack: what was decoded -> b inputs as the encoder takes them, with b reasons why there
        can be no features of one, None where there can; so are features [b, d].
      batch_size: rows that are embedded at once, on accelerators; `on_cpu`, if given, elsewhere.
      fill: whether the last batch is filled up, so that one program does for all.
    """

    def load() -> Embed:
        size = on_cpu if on_cpu and jax.default_backend() == "cpu" else batch_size
        apply = start()

        def embed(decoded: Iterable[Any]) -> Iterator[Stacked]:
            rest = iter(decoded)
            while batch := [*itertools.islice(rest, size)]:
                rows, reasons = stack(batch)
                if fill:
                    rows = np.concatenate([rows, np.repeat(rows[:1], size - len(batch), axis=0)])
                yield apply(rows)[: len(batch)], reasons

        return embed

    return load


def compiled(weights: Pretrained) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function from a batch of inputs to features: JAX's, or a faster one on CPUs."""
    if jax.default_backend() == "cpu" and onnx_runtime.runs(weights.model):
        return onnx_runtime.program(weights.model, weights.params, count_cores())
    return compiled_by_jax(weights)


def compiled_by_jax(weights: Pretrained) -> Callable[[np.ndarray], np.ndarray]:
    """Return the same as `compiled`, for any encoder, on any device."""
    params = {"params": jax.device_put(weights.params)}
    apply = jax.jit(weights.model.apply)

    def embed(inputs: np.ndarray) -> np.ndarray:
        # Features outlive the machine they were made on: no accelerator may round them.
        with jax.default_matmul_precision("highest"):
            return np.asarray(apply(params, inputs))

    return embed

"""Memory that a training step needs on each device, computed before the first step."""

import logging
import time
from typing import Any

import jax

_log = logging.getLogger(__name__)


def compiled_to_fit(step: Any, *args: Any) -> Any:
    """Compile a jitted step for its arguments, and check that the devices have enough memory.

    Raises:
      ValueError: the step needs more memory than the devices report.
    """
    start = time.monotonic()
    compiled = step.lower(*args).compile()
    needed, limit = needed_bytes(compiled), limit_bytes(jax.local_devices()[0])
    if jax.process_index() == 0:
        of = f" of {limit / 2**20:,.0f}" if limit else ""
        _log.info(
            f"Compiled in {time.monotonic() - start:.1f} s; a step takes {needed / 2**20:,.0f} MiB"
            f"{of} on each of {jax.device_count()} devices."
        )
    if limit and needed > limit:
        raise ValueError(
            f"A step needs {needed / 2**20:,.0f} MiB on each device, which has "
            f"{limit / 2**20:,.0f}: raise config.train.microbatches or config.mesh.fsdp, or lower "
            "config.train.batch_matched and batch_unmatched."
        )
    return compiled


def needed_bytes(compiled: Any) -> int:
    """Return the bytes per device for arguments, results and temporaries; 0 if JAX cannot tell."""
    sizes = compiled.memory_analysis()
    if sizes is None:
        return 0
    return (
        sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        - sizes.alias_size_in_bytes
        + sizes.temp_size_in_bytes
        + sizes.generated_code_size_in_bytes
    )


def limit_bytes(device: Any) -> int | None:
    """Return the bytes that a device can allocate; None if it does not report them, as on a CPU."""
    return (device.memory_stats() or {}).get("bytes_limit")

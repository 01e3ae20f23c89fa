"""Importing the losses loads jax and nothing heavier."""

import subprocess
import sys

SCRIPT = """
import sys
import jax, jax.numpy
before = set(sys.modules)
import gentle_clip_jax.losses
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized()
"""


def test_import_loads_jax_and_nothing_heavier_and_touches_no_device() -> None:
    process = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["gentle_clip_jax"]

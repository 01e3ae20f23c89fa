"""The command gentle-clip on the tiny dataset: tiny_command.py DEVICES COMMAND [ARGUMENTS].

TINY_SPOILT="4 7" makes the loss of these steps NaN; TINY_DAMAGED="3 5" makes these pictures of the
matched pairs unreadable; TINY_SMOOTH=1 gives the image tower a GELU where it has a ReLU.
"""

import dataclasses
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import tiny_run

from gentle_clip_jax.commands import main as command_line
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop


class Fragile:
    """Pictures of which some cannot be read."""

    def __init__(self, rows, damaged):
        self.rows, self.damaged = rows, damaged

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        for number in np.arange(len(self.rows))[rows]:
            if number in self.damaged:
                raise ValueError(f"The picture {number} cannot be decoded: mend it.")
        return self.rows[rows]


def load_data(config, workdir):
    dataset = tiny_run.dataset()
    damaged = [int(row) for row in os.environ.get("TINY_DAMAGED", "").split()]
    pictures = Fragile(dataset.matched.x, damaged)
    return dataclasses.replace(dataset, matched=dataclasses.replace(dataset.matched, x=pictures))


def spoil(steps):
    real = loop.train_step

    def step(state, batch, *more, **keywords):
        bad = jnp.isin(state.step, jnp.array(steps) - 1)
        spoilt = jax.tree.map(lambda p: jnp.where(bad, jnp.nan, p), state.params)
        new, metrics = real(state._replace(params=spoilt), batch, *more, **keywords)
        params = jax.tree.map(lambda a, b: jnp.where(bad, b, a), new.params, state.params)
        return new._replace(params=params), metrics

    loop.train_step = step


def main(num_devices, *arguments):
    jax.config.update("jax_num_cpu_devices", int(num_devices))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    icons.load_data = load_data
    if os.environ.get("TINY_SMOOTH") == "1":
        nn.relu = nn.gelu
    if steps := os.environ.get("TINY_SPOILT"):
        spoil([int(step) for step in steps.split()])
    return command_line.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

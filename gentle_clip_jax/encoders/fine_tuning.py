"""Published towers of which a part is trained: the last blocks, or low-rank updates, or nothing."""

import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
from flax import traverse_util
from jax import Array

from gentle_clip_jax.encoders import lora
from gentle_clip_jax.encoders.heads import FROZEN

# What comes before the blocks, in every tower here.
_INPUTS = re.compile(r"stem(_\d+)?|words|positions?|segments|embedding_norm|patches|class_token")


class FineTuned(nn.Module):
    """A tower with its parameters in three parts: "frozen", "trained", "lora" (each may be empty).

    Its inputs and outputs are those of `tower`. The gradient stops below the first trained block,
    so that it costs only the blocks above.

    Args:
      trained_blocks: number of last blocks to train, with all layers after them; 0: none
        of the published parameters; -1: all.
      lora_rank: rank of the updates of kernels whose path matches `lora_kernels`; 0: none.

    Source: Hu et al., arXiv 2106.09685, for the updates.
    """

    tower: nn.Module
    trained_blocks: int = -1
    lora_rank: int = 0
    lora_kernels: str = "query|value"

    @nn.compact
    def __call__(self, rows: Any, *, train: bool = False) -> Array:
        tower: Any = self.tower.clone(parent=None)

        def init(key: Array) -> dict[str, Any]:
            return self.parts(key, tower.init(key, rows)["params"])

        parts = {
            name: self.param(name, lambda key, name=name: init(key)[name])
            for name in (FROZEN, "trained", "lora")
        }
        params = _joined(jax.lax.stop_gradient(parts[FROZEN]), parts["trained"])
        if self.lora_rank:
            params = lora.merge(params, parts["lora"])
        rngs = {"dropout": self.make_rng("dropout")} if train else {}
        return tower.apply({"params": params}, rows, train=train, rngs=rngs)

    def parts(self, key: Array, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of this module for those of its tower; `key` draws the updates.

        Raises:
          ValueError: the tower has fewer blocks, or no kernel for the updates.
        """
        flat = traverse_util.flatten_dict(params)
        depth = sum(name.startswith("block_") for name in params)
        trained = {path for path in flat if self._is_trained(path[0], depth)}
        return {
            FROZEN: traverse_util.unflatten_dict({p: flat[p] for p in flat if p not in trained}),
            "trained": traverse_util.unflatten_dict({p: flat[p] for p in trained}),
            "lora": lora.init(key, params, self.lora_rank, self.lora_kernels)
            if self.lora_rank
            else {},
        }

    def _is_trained(self, name: str, depth: int) -> bool:
        if self.trained_blocks > depth:
            raise ValueError(
                f"The last {self.trained_blocks} blocks of {type(self.tower).__name__} cannot be "
                f"trained: it has {depth}."
            )
        if self.trained_blocks < 1:
            return self.trained_blocks < 0
        if block := re.fullmatch(r"block_(\d+)", name):
            return int(block[1]) >= depth - self.trained_blocks
        return not _INPUTS.fullmatch(name)


def _joined(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return traverse_util.unflatten_dict(
        traverse_util.flatten_dict(a) | traverse_util.flatten_dict(b)
    )

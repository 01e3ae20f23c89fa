"""The default of this package, called as a user calls it: two arrays and the pairs' row numbers."""

from typing import Any

import numpy as np

LABEL = "auto (default of this package)"


def fit(x, y, unmatched_x, unmatched_y, seed):
    import gentle_clip_jax

    pairs = np.stack([np.arange(len(x))] * 2, axis=1)
    aligner = gentle_clip_jax.align(
        np.concatenate([x, unmatched_x]), np.concatenate([y, unmatched_y]), pairs, seed=seed
    )
    return aligner.embed_x, aligner.embed_y, _stated(aligner.metadata)


def _stated(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what the aligner states: its method, and the recall to expect among how many items."""
    expected = metadata["expected"]
    recall = {name: 100 * expected["recall"][name] for name in ("value", "low", "high")}
    chosen = metadata["held_out"]["chosen"]
    return {"chosen": chosen, "expected": recall.pop("value"), **recall, "among": expected["among"]}

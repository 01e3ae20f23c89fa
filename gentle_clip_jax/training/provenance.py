"""The provenance of a run: the commit of the code, and fingerprints of its data."""

import contextlib
import pathlib
import subprocess
from typing import Any

import jax
import numpy as np

from gentle_clip_jax.data import batches
from gentle_clip_jax.storage.digests import sha256_of

_SAMPLE = 4  # rows of a set; images are decoded for them


def provenance(dataset: batches.Dataset) -> dict[str, Any]:
    """Return {"commit": ..., "data": {set: "n items, SHA-256"}} for run.json."""
    return {"commit": commit(), "data": fingerprints(dataset)}


def commit() -> str | None:
    """Return the commit of the checkout that contains this package, with + if files have changed.

    Return None if there is no checkout.
    """
    git = ["git", "-C", str(pathlib.Path(__file__).parent)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        run = {"capture_output": True, "text": True, "check": True, "timeout": 10}
        head = subprocess.run([*git, "rev-parse", "HEAD"], **run).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], **run).stdout.strip()
        return head + "+" * bool(changed)
    return None


def fingerprints(dataset: batches.Dataset) -> dict[str, str]:
    """Return each set's size and the first digits of the SHA-256 of its names and a few rows."""
    sets = {"unmatched_x": dataset.unmatched_x, "unmatched_y": dataset.unmatched_y}
    for name in ("matched", "validation", "test"):
        pairs = getattr(dataset, name)
        sets[name] = {"x": pairs.x, "y": pairs.y, "names": np.asarray(pairs.names)}
    return {name: _fingerprint(items) for name, items in sets.items()}


def _fingerprint(items: batches.Items) -> str:
    num, parts = batches.count(items), []
    sample = np.unique(np.linspace(0, max(num - 1, 0), _SAMPLE).astype(int))[:num]
    for leaf in jax.tree.leaves(items):
        whole = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "US"
        try:
            rows = np.asarray(leaf if whole else leaf[sample])
            parts.append(f"{rows.dtype} {rows.shape}".encode() + rows.tobytes())
        except (OSError, ValueError):
            parts.append(b"a row cannot be read")
    return f"{num:,} items, {sha256_of(b''.join(parts))[:16]}"

"""The manifest of a tree of arrays: key, shape, dtype and SHA-256 of each, for any sharding.

An array is hashed in blocks along its longest axis, the axis along which mesh.py splits it, so that
each process hashes its own blocks and the manifest is the same on any number of devices.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from gentle_clip_jax.parallel.mesh import num_blocks, split_axis
from gentle_clip_jax.storage.digests import sha256_of

Manifest = dict[str, dict[str, Any]]
_POOLED = 2**26  # bytes; smaller trees are hashed before a busy machine has started threads


def manifest(tree: Any) -> Manifest:
    """Return {key: {"shape", "dtype", "sha256"}} of every array of a tree.

    All processes take part.
    """
    tables = _digests(list(_by_key(tree).values()))
    if jax.process_count() > 1:
        # Every block is hashed by one process; the others have zeros there.
        every = multihost_utils.process_allgather(np.concatenate(tables)).max(axis=0)
        tables = np.split(every, np.cumsum([len(table) for table in tables])[:-1])
    return {
        key: {**entry, "sha256": sha256_of(table.tobytes())}
        for (key, entry), table in zip(described(tree).items(), tables)
    }


def described(tree: Any) -> Manifest:
    """Return {key: {"shape", "dtype"}} of every array, or `ShapeDtypeStruct`, in a tree."""
    return {
        key: {"shape": list(np.shape(leaf)), "dtype": str(leaf.dtype)}
        for key, leaf in _by_key(tree).items()
    }


def digest(tree: Any) -> str:
    """Return the SHA-256 of a pytree's manifest, which has the digest of every array."""
    return digest_of(manifest(tree))


def digest_of(entries: Manifest) -> str:
    """Return the SHA-256 of a manifest."""
    return sha256_of(entries)


def differences(saved: Manifest, wanted: Manifest) -> list[str]:
    """Return sentences on the keys, shapes and dtypes in which `wanted` differs from `saved`."""
    flaws = [f"{key} is missing" for key in wanted if key not in saved]
    flaws += [f"{key} is not expected" for key in saved if key not in wanted]
    for key in wanted.keys() & saved.keys():
        for name in ("shape", "dtype"):
            if (was := saved[key][name]) != (now := wanted[key][name]):
                flaws.append(f"{key} has the {name} {was}, not {now}")
    return sorted(flaws)


def _by_key(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _digests(leaves: Sequence[Any]) -> list[np.ndarray]:
    """Return uint8 [blocks, 32] of each array: SHA-256 of each block that this process hashes."""
    tables = [np.zeros((num_blocks(np.shape(leaf)), 32), np.uint8) for leaf in leaves]
    places = [
        (table[number], values)
        for table, leaf in zip(tables, leaves)
        for first, part in _own_parts(leaf)
        for number, values in _blocks(part, first, np.shape(leaf))
    ]
    if sum(values.nbytes for _, values in places) < _POOLED:
        for place, values in places:
            _hash(place, values)
    else:
        with ThreadPoolExecutor() as pool:
            list(pool.map(_hash, *zip(*places)))
    return tables


def _hash(place: np.ndarray, values: np.ndarray) -> None:
    """Write the SHA-256 of the values into `place`, uint8 [32]."""
    place[:] = np.frombuffer(bytes.fromhex(sha256_of(values.tobytes())), np.uint8)


def _own_parts(leaf: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the parts that this process hashes, each after its start along the longest axis."""
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        yield 0, np.asarray(leaf)
        return
    for shard in leaf.addressable_shards:
        if shard.replica_id == 0:
            place = shard.index[split_axis(leaf.shape)] if leaf.ndim else slice(0)
            yield place.start or 0, np.asarray(shard.data)


def _blocks(part: Any, first: int, shape: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number and values of each block in a part of an array of `shape`."""
    if not shape or not max(shape):
        yield 0, np.asarray(part)
        return
    axis = split_axis(shape)
    rows = shape[axis] // num_blocks(shape)
    for start in range(0, part.shape[axis], rows):
        yield (first + start) // rows, part[(slice(None),) * axis + (slice(start, start + rows),)]

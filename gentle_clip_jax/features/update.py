"""The update of a folder of features to the present items: only new content is embedded."""

import importlib.metadata
import itertools
import logging
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from gentle_clip_jax.data import metadata
from gentle_clip_jax.features import folder as folders
from gentle_clip_jax.features import kept as on_disk
from gentle_clip_jax.features.arguments import keep
from gentle_clip_jax.features.kept import BLOCK, Kept
from gentle_clip_jax.features.work import Work
from gentle_clip_jax.storage import locks, progress
from gentle_clip_jax.storage.digests import sha256_of

_log = logging.getLogger(__name__)

_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "numpy")

Content = tuple[str, str | None]  # a digest, or why there are no features
Contents = dict[int, Content]  # of inputs by number
Rows = list[tuple[dict[str, Any], Content]]  # what rows.jsonl says of each


def update(
    work: Work,
    out: pathlib.Path,
    arguments: dict[str, Any],
    shard: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Bring the features in `out` up to date: embed what is missing.

    Args:
      shard: number i of n, from 0: of each n blocks of 512 inputs the one that `out` is of.

    Returns:
      What manifest.json holds.

    Raises:
      ValueError: nothing can be used, or features are not finite; earlier features stay.
    """
    is_new = not locks.names_in(out)
    keep(out, arguments)
    blocks = [range(i, min(i + BLOCK, len(work.inputs))) for i in range(0, len(work.inputs), BLOCK)]
    blocks = blocks if shard is None else blocks[shard[0] :: shard[1]]
    contents = {i: content for block in blocks for i, content in zip(block, work.contents(block))}
    rows, metadata = _rows(work, contents, shard), _metadata(work)
    metadata["contents_sha256"] = contents_sha256(metadata, rows)
    if shard is not None:
        metadata["listing_sha256"] = sha256_of([work.rows, work.index.tolist()])
    recipe = metadata["recipe_sha256"]
    before = on_disk.read_finished(out, recipe)
    if before is None or before.contents != metadata["contents_sha256"]:
        cached = before or Kept("", [], {}, {})
        old = {*cached.places} & {digest for digest, _ in contents.values()}
        on_disk.read_parts(out, recipe, cached)
        count = _embed(work, contents, out, arguments, recipe, cached)
        _keep_until_replaced([*old], out, recipe, cached)
        try:
            write_features(rows, out, arguments, metadata, cached, shard)
        except ValueError:
            if is_new:  # else it may hold features that an earlier command embedded
                shutil.rmtree(out)
            raise
        if old:
            _log.info(f"Embedded now: {count}; reused: {len(old)}.")
    on_disk.remove_parts(out)
    return note_rest(out)


def _rows(work: Work, contents: Contents, shard: tuple[int, int] | None) -> Rows:
    """Return the line of each row in rows.jsonl and its content.

    In a shard, return its number among all rows, too.
    """
    index = work.index.tolist()
    if shard is None:
        return [(row, contents[i]) for row, i in zip(work.rows, index)]
    return [
        (row | {"row": number}, contents[i])
        for number, (row, i) in enumerate(zip(work.rows, index))
        if i in contents
    ]


def contents_sha256(metadata: dict[str, Any], rows: Rows) -> str:
    """Return a digest of everything that a folder's features depend on."""
    return sha256_of([metadata["recipe_sha256"], [row for row, _ in rows], [of for _, of in rows]])


def _keep_until_replaced(old: list[str], out: pathlib.Path, recipe: str, cached: Kept) -> None:
    """Save the old features as parts before replacing them, so that an interruption loses none."""
    for numbers, features in cached.blocks(old):
        digests = [old[number] for number in numbers]
        on_disk.write_part(out, recipe, digests, np.asarray(features))


def _metadata(work: Work) -> dict[str, Any]:
    """Return the manifest's entries on the encoder, with a digest of those that change features."""
    versions = {n: importlib.metadata.version(n) for n in (*_PACKAGES, *work.packages)}
    matters = {k: v for k, v in work.metadata.items() if k != "num_cut"}
    matters["versions"] = {n: versions[n] for n in (_PACKAGES[0], *work.packages)}
    return {**work.metadata, "versions": versions, "recipe_sha256": sha256_of(matters)}


def _embed(
    work: Work,
    contents: Contents,
    out: pathlib.Path,
    arguments: dict[str, Any],
    recipe: str,
    cached: Kept,
) -> int:
    """Embed every content without features once, and save each part of 512 on the way."""
    parts = _parts(contents, cached)
    if not parts:
        return 0
    total, embed = sum(map(len, parts)), work.load()
    with progress.bar(metadata.printable(pathlib.PurePath(out.name)), total) as advance:
        for part in parts:
            digests = [contents[i][0] for i in part]
            features: list[np.ndarray] = []
            reasons: list[str | None] = []
            for batch, why in embed(work.decode([work.inputs[i] for i in part], digests)):
                features.append(_checked(batch, why, part[len(reasons) :], work, arguments))
                reasons += why
                advance(len(why))
            path = on_disk.write_part(out, recipe, digests, np.concatenate(features), reasons)
            cached.add(digests, path, reasons)
    return total


def _parts(contents: Contents, cached: Kept) -> list[list[int]]:
    """Return the numbers of the inputs to embed, part by part.

    A block without cached features is a part of its own, so that the composition of its batches
    does not depend on other or earlier processes. The missing inputs of other blocks are combined.
    """
    seen: set[str] = set()
    parts: list[list[int]] = []
    rest: list[int] = []
    for _, block in itertools.groupby(contents, lambda number: number // BLOCK):
        listed = [(number, *contents[number]) for number in block]
        part = []
        for number, digest, flaw in listed:
            if not flaw and digest not in cached and digest not in seen:
                seen.add(digest)
                part.append(number)
        if any(digest in cached for _, digest, flaw in listed if not flaw):
            rest += part
        elif part:
            parts.append(part)
    return parts + [rest[i : i + BLOCK] for i in range(0, len(rest), BLOCK)]


def _checked(
    features: np.ndarray,
    reasons: Sequence[str | None],
    inputs: Sequence[int],
    work: Work,
    arguments: dict[str, Any],
) -> np.ndarray:
    """Return the features [b, d] of a batch in the requested dtype, checked to be finite."""
    with np.errstate(over="ignore"):
        converted = features.astype(arguments["dtype"])
    bad = ~np.isfinite(converted).all(axis=1) & np.array([reason is None for reason in reasons])
    if bad.any():
        first = int(np.argmax(bad))
        row = int(np.flatnonzero(work.index == inputs[first])[0])
        which = f"The features of {work.rows[row]['id']}"
        if np.isfinite(features[first]).all():
            raise ValueError(f"{which} are too large for float16: use --dtype=float32.")
        raise ValueError(
            f"{which} by {arguments['encoder']} are not finite numbers: its weights or settings "
            "are damaged; copy them again."
        )
    return converted


def write_features(
    rows: Rows,
    out: pathlib.Path,
    arguments: dict[str, Any],
    metadata: dict[str, Any],
    kept: Kept,
    shard: tuple[int, int] | None = None,
) -> None:
    """Write the rows in order, and then the manifest, which marks the folder as complete.

    Raises:
      ValueError: there is no row with features, but a shard may be without.
    """
    reasons = [flaw or kept.flaws.get(digest) for _, (digest, flaw) in rows]
    used = [(row, of) for (row, (of, _)), reason in zip(rows, reasons) if reason is None]
    if not used and shard is None:
        raise ValueError(f"Nothing in {arguments['data']} can be used: the first {reasons[0]}.")
    blocks = kept.blocks(digest for _, digest in used)
    lines = (row | {"sha256": digest} for row, digest in used)
    folders.write_contents(out, len(used), arguments["dtype"], blocks, lines)
    skipped = [
        ({"id": row["id"]} if shard is None else row) | {"reason": reason, "sha256": of or None}
        for (row, (of, _)), reason in zip(rows, reasons)
        if reason is not None
    ]
    manifest = {"arguments": arguments, "num_rows": len(used), "skipped": skipped, **metadata}
    folders.write_manifest(out, manifest)


def note_rest(out: pathlib.Path) -> dict[str, Any]:
    """Name the items of a folder of features that were skipped or cut; return its manifest."""
    manifest = folders.read_manifest(out)
    for item in manifest["skipped"][:3]:
        _log.warning(f"Skipped: {item['id']} {item['reason']}.")
    if len(manifest["skipped"]) > 3:
        count, path = len(manifest["skipped"]), out / folders.MANIFEST
        _log.warning(f"{count} items were skipped in all, which {path} lists.")
    if cut := manifest.get("num_cut"):
        _log.info(f"Cut to {manifest['max_tokens']} tokens: {cut}.")
    return manifest

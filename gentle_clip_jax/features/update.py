"""Brings a folder of features up to date with what there is to embed."""

import importlib.metadata
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gentle_clip_jax.data import metadata
from gentle_clip_jax.features import kept as on_disk
from gentle_clip_jax.features.arguments import keep
from gentle_clip_jax.features.kept import FEATURES, MANIFEST, ROWS, Kept
from gentle_clip_jax.features.work import Work
from gentle_clip_jax.files import (
    read_record,
    sha256,
    sha256_of,
    write_array,
    write_json_lines,
    write_record,
)

_PART = 512  # inputs whose features are kept if the command is stopped
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "numpy")

Contents = Sequence[tuple[str, str | None]]  # digests, and why there are no features


def update(work: Work, out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Makes `out` hold the features of all that there is; embeds what it lacks, and says so.

    Raises:
      ValueError: nothing can be used, or features are not finite; earlier features stay.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    keep(out, arguments, console.print)
    contents, about = work.contents(), _about(work)
    recipe, of_rows = about["recipe_sha256"], [contents[i] for i in work.index]
    about["contents_sha256"] = sha256_of([recipe, work.rows, of_rows])
    before = on_disk.read_finished(out, recipe, console.print)
    if before is None or before.contents != about["contents_sha256"]:
        kept = before or Kept("", [], {}, {})
        old = {*kept.places} & {digest for digest, _ in contents}
        on_disk.read_parts(out, recipe, kept, console.print)
        count = _embed(work, contents, out, arguments, recipe, kept)
        if old:  # what is about to be replaced must outlive a kill on the way
            on_disk.write_part(out, recipe, [*old], kept.gather([*old], arguments["dtype"]))
        _finish(work, of_rows, out, arguments, about, kept)
        if old:
            console.print(f"Embedded now: {count}; as before: {len(old)}.")
    on_disk.remove_parts(out)
    _say_what_is_there(out, console)


def _about(work: Work) -> dict[str, Any]:
    """What the manifest says of how features were made; of what matters to them one digest."""
    versions = {n: importlib.metadata.version(n) for n in (*_PACKAGES, *work.packages)}
    matters = {k: v for k, v in work.about.items() if k != "num_cut"}
    matters["versions"] = {n: versions[n] for n in (_PACKAGES[0], *work.packages)}
    return {**work.about, "versions": versions, "recipe_sha256": sha256_of(matters)}


def _embed(
    work: Work,
    contents: Contents,
    out: pathlib.Path,
    arguments: dict[str, Any],
    recipe: str,
    kept: Kept,
) -> int:
    """Embeds every content that has no features yet, once; a part of 512 is kept at a time."""
    first = {digest: i for i, (digest, flaw) in reversed([*enumerate(contents)]) if not flaw}
    todo = sorted(i for digest, i in first.items() if digest not in kept)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn()) as progress:
        bar = progress.add_task(
            metadata.printable(pathlib.PurePath(out.name)), total=len(todo), rate=""
        )
        for start in range(0, len(todo), _PART):
            part = todo[start : start + _PART]
            features, reasons = [], []
            for batch, why in work.embed([work.inputs[i] for i in part]):
                _check_finite(batch, why, part[len(reasons) :], work, arguments["encoder"])
                features.append(batch)
                reasons += why
                speed = progress.tasks[bar].speed
                progress.update(bar, advance=len(why), rate=f"{speed:.0f}/s" if speed else "")
            made = [contents[i][0] for i in part], np.concatenate(features), reasons
            on_disk.write_part(out, recipe, *made)
            kept.add(*made)
    return len(todo)


def _check_finite(
    features: np.ndarray, reasons: Sequence[str | None], inputs: Sequence[int], work: Work, of: str
) -> None:
    bad = ~np.isfinite(features).all(axis=1) & np.array([reason is None for reason in reasons])
    if bad.any():
        row = int(np.flatnonzero(work.index == inputs[int(np.argmax(bad))])[0])
        raise ValueError(
            f"The features of {work.rows[row]['id']} by {of} are not finite numbers: its weights "
            "or settings are damaged; copy them again."
        )


def _finish(
    work: Work,
    of_rows: Contents,
    out: pathlib.Path,
    arguments: dict[str, Any],
    about: dict[str, Any],
    kept: Kept,
) -> None:
    """Puts the rows together and writes the manifest, which says that all is there."""
    reasons = [flaw or kept.flaws.get(digest) for digest, flaw in of_rows]
    used = [row for row, reason in enumerate(reasons) if reason is None]
    if not used:
        if not (out / MANIFEST).exists():
            shutil.rmtree(out, ignore_errors=True)
        raise ValueError(f"Nothing in {arguments['data']} can be used: the first {reasons[0]}.")
    features = kept.gather([of_rows[row][0] for row in used], arguments["dtype"])
    if not np.isfinite(features).all():
        name = work.rows[used[int(np.argmin(np.isfinite(features).all(axis=1)))]]["id"]
        raise ValueError(f"The features of {name} are too large for float16: use --dtype=float32.")
    (out / MANIFEST).unlink(missing_ok=True)
    write_array(out / FEATURES, features)
    lines = [work.rows[row] | {"sha256": of_rows[row][0]} for row in used]
    write_json_lines(out / ROWS, lines)
    skipped = [
        {"id": row["id"], "reason": reason, "sha256": digest or None}
        for row, reason, (digest, _) in zip(work.rows, reasons, of_rows)
        if reason is not None
    ]
    manifest = {"arguments": arguments, "num_rows": len(used), "skipped": skipped, **about}
    manifest["sha256"] = {name: sha256(out / name) for name in (FEATURES, ROWS)}
    write_record(out / MANIFEST, manifest)


def _say_what_is_there(out: pathlib.Path, console: Console) -> None:
    manifest = read_record(out / MANIFEST)
    console.print(f"{metadata.printable(out)}: {manifest['num_rows']} rows.")
    for item in manifest["skipped"][:3]:
        console.print(f"Skipped: {item['id']} {item['reason']}.")
    if len(manifest["skipped"]) > 3:
        console.print(f"{len(manifest['skipped'])} were skipped in all: {out / MANIFEST}.")
    if cut := manifest.get("num_cut"):
        console.print(f"Cut to {manifest['max_tokens']} tokens: {cut}.")

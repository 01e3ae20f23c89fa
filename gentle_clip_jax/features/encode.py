"""Features of frozen encoders: images, texts or protein sequences become a folder of embeddings."""

import importlib.metadata
import json
import pathlib
import shutil
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gentle_clip_jax.data import images, sequences, texts
from gentle_clip_jax.features.work import Work, image_work, role_of, sequence_work, text_work
from gentle_clip_jax.files import (
    sha256,
    sha256_of,
    write_array,
    write_arrays,
    write_json,
    write_json_lines,
)

_PART = 512  # inputs whose features are kept if the command is stopped
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "numpy")


def encode(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    encoder: str,
    role: str | None = None,
    dtype: str = "float32",
    batch_size: int | None = None,
    split: str | None = None,
    prompt: str | None = None,
) -> None:
    """Writes the features of the images, texts or sequences of `data` into the folder `out`.

    `encoder` is one that `encoders.pretrained.load` knows, for images (`images.list_images` says
    what data may be), for texts (`texts.list_texts`; with a prompt, `texts.list_classes`) or for
    the protein sequences of a FASTA file; of two towers `role`, image or text, chooses. In `out`
    there will be features.npy [n, d]; rows.jsonl, a line for each row: the id, split and label of
    its item, and a text itself; and manifest.json: where all came from, and what was skipped.
    Stopped, the same call goes on where it was.

    Raises:
      ValueError: data or out cannot be used, or weights are not there; says what to do.
    """
    data, out = pathlib.Path(data), pathlib.Path(out)
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    found = role_of(encoder, role)
    if prompt is not None and found != "text":
        raise ValueError("A prompt makes texts: use it with an encoder of texts, as minilm is.")
    if found == "image":
        work = image_work(images.list_images(data, split), batch_size, encoder)
    elif found == "text":
        classes_or_texts = (
            texts.list_texts(data, split)
            if prompt is None
            else texts.list_classes(data, prompt, split)
        )
        work = text_work(classes_or_texts, batch_size, encoder)
    elif split is not None:
        raise ValueError(f"Protein sequences have no splits: leave out --split={split}.")
    else:
        work = sequence_work(sequences.read_fasta(data), batch_size, encoder)
    arguments = {
        "encoder": encoder,
        "role": role,
        "data": str(data),
        "split": split,
        "prompt": prompt,
        "dtype": dtype,
        "rows_sha256": sha256_of(json.dumps(work.rows).encode()),
    }
    _open_folder(out, arguments)
    if not (out / "manifest.json").exists():
        _embed_parts(work, out / "parts")
        _finish(work, out, arguments)
    _say_what_is_there(out)


def _open_folder(out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Makes `out`, or finds it as the same arguments left it.

    Raises:
      ValueError: it holds anything else.
    """
    path = out / "arguments.json"
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ValueError(f"{out} is not an empty folder: use another --out.")
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, arguments)
        return
    before = json.loads(path.read_text())
    changed = [name for name in arguments if arguments[name] != before.get(name)]
    if changed == ["rows_sha256"]:
        raise ValueError(f"{arguments['data']} has changed since {out} was begun: delete {out}.")
    if changed:
        name = changed[0]
        raise ValueError(
            f"{out} was begun with --{name}={before[name]}, not {arguments[name]}: use another "
            "--out, or delete it."
        )


def _embed_parts(work: Work, folder: pathlib.Path) -> None:
    """Writes a file of features for every 512 inputs that have none yet."""
    folder.mkdir(exist_ok=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn()) as progress:
        bar = progress.add_task(folder.parent.name, total=len(work.inputs), rate="")
        for start in range(0, len(work.inputs), _PART):
            inputs, path = work.inputs[start : start + _PART], folder / f"{start}.npz"
            if path.exists():
                progress.update(bar, advance=len(inputs))
                continue
            features, reasons = [], []
            for batch, why in work.embed(inputs):
                features.append(batch)
                reasons += why
                speed = progress.tasks[bar].speed
                progress.update(bar, advance=len(why), rate=f"{speed:.0f}/s" if speed else "")
            arrays = {"features": np.concatenate(features), "reasons": json.dumps(reasons)}
            write_arrays(path, arrays)


def _finish(work: Work, out: pathlib.Path, arguments: dict[str, Any]) -> None:
    """Puts the parts together and writes the manifest, which says that all is there."""
    features, reasons = [], []
    for start in range(0, len(work.inputs), _PART):
        with np.load(out / "parts" / f"{start}.npz", allow_pickle=False) as part:
            features.append(part["features"].astype(arguments["dtype"]))
            reasons += json.loads(str(part["reasons"]))
    kept = [row for row, i in enumerate(work.index) if reasons[i] is None]
    if not kept:
        shutil.rmtree(out)
        raise ValueError(f"Nothing in {arguments['data']} can be used: the first {reasons[0]}.")
    write_array(out / "features.npy", np.concatenate(features)[work.index[kept]])
    write_json_lines(out / "rows.jsonl", (work.rows[row] for row in kept))
    manifest = {
        "arguments": arguments,
        "num_rows": len(kept),
        "skipped": [
            {"id": work.rows[row]["id"], "reason": reasons[i]}
            for row, i in enumerate(work.index)
            if reasons[i] is not None
        ],
        **work.about,
        "versions": {n: importlib.metadata.version(n) for n in (*_PACKAGES, *work.packages)},
        "sha256": {n: sha256(out / n) for n in ("features.npy", "rows.jsonl")},
    }
    write_json(out / "manifest.json", manifest)
    shutil.rmtree(out / "parts")


def _say_what_is_there(out: pathlib.Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{out}: {manifest['num_rows']} rows.")
    for item in manifest["skipped"][:3]:
        console.print(f"Skipped: {item['id']} {item['reason']}.")
    if len(manifest["skipped"]) > 3:
        console.print(f"{len(manifest['skipped'])} were skipped in all: {out / 'manifest.json'}.")
    if cut := manifest.get("num_cut"):
        most = manifest["max_tokens"]
        console.print(f"Cut to {most} tokens: {cut}.")

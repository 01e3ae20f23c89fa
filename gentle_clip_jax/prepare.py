"""Data sets ready to train on: a folder becomes what TensorFlow Datasets reads row by row."""

import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gentle_clip_jax.data import embeddings
from gentle_clip_jax.data.tfds_builders import build, catalogue
from gentle_clip_jax.run_log import write_json

_SUMS, _ABOUT = "SHA256SUMS", "prepared.json"


def prepare(
    name: str, source: str | pathlib.Path, to: str | pathlib.Path, *, max_skipped: int = 10
) -> pathlib.Path:
    """Builds the data set `name` from the folder `source` and returns its folder, to/NAME/1.0.0.

    There will be the records, prepared.json (what was read, what was skipped and why) and
    SHA256SUMS. The folder gets its name when all is there: what was stopped is begun again, what
    is done is checked and left.

    Raises:
      ValueError: there is no such data set or folder; a file is not as its SHA256SUMS says; more
        than `max_skipped` items are damaged; or the target is there and is something else.
    """
    known, source, to = catalogue.find(name), pathlib.Path(source), pathlib.Path(to)
    if not source.is_dir():
        raise ValueError(f"There is no folder {source} with the files of {name}.")
    _verify(source, "copy it again")
    title = source.resolve().name if name == "folder" else name
    title = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "folder"
    target = to / title / build.VERSION
    about = {"data_set": name, "source_sha256": _fingerprint(source)}
    if not target.parent.exists():
        contents = known.read(source)
        unfinished = to / f".{title}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            _build(title, known, contents, unfinished, max_skipped, about)
            os.replace(unfinished / title, target.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    _say_what_is_there(target, about)
    return target


def show_data_sets() -> None:
    """Prints the data sets that can be prepared."""
    table = Table("name", "field", "what it is", "source", box=None)
    for name, known in catalogue.DATA_SETS.items():
        table.add_row(name, known.field, known.title, known.cite)
    Console().print(table)


def _build(
    title: str,
    known: catalogue.DataSet,
    contents: build.Contents,
    folder: pathlib.Path,
    max_skipped: int,
    about: Mapping[str, str],
) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    # What TFDS prints is kept from the terminal; the bar has to go there all the same.
    console = Console(file=Console().file)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task(title, total=sum(map(len, contents.splits.values())))
        skipped = build.build(
            title,
            contents,
            folder,
            about=f"{known.title} ({known.cite})",
            max_skipped=max_skipped,
            advance=lambda: progress.advance(bar),
        )
    built = folder / title / build.VERSION
    items = [{"id": item, "reason": reason} for item, reason in skipped]
    write_json(built / _ABOUT, {**about, "skipped": items})
    names = sorted(path.name for path in built.iterdir())
    lines = [f"{embeddings.sha256(built / name)}  {name}\n" for name in names]
    (built / _SUMS).write_text("".join(lines), encoding="utf-8")


def _verify(folder: pathlib.Path, remedy: str) -> None:
    """Compares the files of a folder with its SHA256SUMS, if it has one."""
    path = folder / _SUMS
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        digest, _, name = line.partition(" ")
        file = folder / name.strip().lstrip("*")
        if not file.is_file():
            raise ValueError(f"{file} is missing, which {path} lists: {remedy}.")
        if embeddings.sha256(file) != digest:
            raise ValueError(f"{file} is not as {path} says: {remedy}.")


def _fingerprint(folder: pathlib.Path) -> str:
    """SHA-256 of what is known of the files without reading them all: checksums, or sizes."""
    path = folder / _SUMS
    if path.is_file():
        return embeddings.sha256(path)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    sizes = [(file.relative_to(folder).as_posix(), file.stat().st_size) for file in files]
    return hashlib.sha256(json.dumps(sizes).encode()).hexdigest()


def _say_what_is_there(target: pathlib.Path, about: Mapping[str, str]) -> None:
    """Says what a finished data set holds.

    Raises:
      ValueError: it is of something else, or was altered.
    """
    if not (target / _ABOUT).is_file():
        raise ValueError(f"{target.parent} is there but is no data set of ours: use another --to.")
    found = json.loads((target / _ABOUT).read_text(encoding="utf-8"))
    if any(found.get(key) != value for key, value in about.items()):
        raise ValueError(f"{target} was prepared from other files: delete it, or use another --to.")
    _verify(target, f"delete {target} and prepare it again")
    info = json.loads((target / "dataset_info.json").read_text(encoding="utf-8"))
    sizes = [f"{s['name']} {sum(map(int, s['shardLengths'])):,}" for s in info["splits"]]
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{target}: {', '.join(sizes)}.")
    for item in found["skipped"][:3]:
        console.print(f"Skipped: {item['id']} {item['reason']}.", markup=False)
    if len(found["skipped"]) > 3:
        console.print(f"{len(found['skipped'])} were skipped in all: {target / _ABOUT}.")

"""What a person's minutes bring: items that `ask` names, described by hand, and then a review.

    python benchmarks/minutes.py --data=DATA --cache=CACHE [--features=FEATURES] [--fields ...]

Rows are appended to CACHE/minutes.jsonl as they come; stopped and run again, it goes on. Writes
docs/results/minutes.json. Fields, test items and fits are those of the few-pairs benchmark, whose
rows of `auto` stand beside these for random pairs. A description is taken to be as good as the true
partner. A review begins with 12 items that `ask` names and an aligner of them. It asks for the
partner among 48; a program clicks it if it is shown, else "none of these". Its quick refits only
choose the screens: figures are of `align` with all pairs by then. Names: `align --classes=encoder`
without a pair, where x are pictures.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from few_pairs import protocol
from few_pairs.run import HERE as BENCHMARK
from few_pairs.run import discover
from published import RESULTS, commit, publish
from review import Opened

from gentle_clip_jax import Aligner, Collection, align, read
from gentle_clip_jax.aligners.closed_form.arrays import unit_rows
from gentle_clip_jax.asking.choose import items_to_ask
from gentle_clip_jax.features.names import encoder_classes
from gentle_clip_jax.reviewing import refit
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.runs.log import machine

FIELDS = ("emoji", "photographs", "molecules", "aerial_images")
ENCODED = {  # folders below made/ that name the encoders of pictures and of texts
    "emoji": ("emoji/images", "emoji/texts"),
    "photographs": ("flickr8k-train/images", "flickr8k-train/captions"),
    "aerial_images": ("rsicd-train/images", "rsicd-train/captions"),
}
START, ASKED, SCREENS = 12, (12, 30, 100), (25, 50, 100, 200)
COLUMNS = ("field", "way", "descriptions", "screens", "seed", "pairs", "recall", "r1", "r10")
COLUMNS += ("seconds", "commit")


class Cell(NamedTuple):
    """One measurement: a row of the results."""

    field: str
    way: str
    descriptions: int
    screens: int
    seed: int


class Items(NamedTuple):
    """Train items as a user has them, y shuffled; equal ids are partners, which `align` ignores."""

    x: Collection
    y: Collection


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="rows")
    parser.add_argument("--features", type=pathlib.Path, help="cache of run.py (default: --cache)")
    parser.add_argument("--fields", nargs="*", choices=FIELDS, default=[*FIELDS])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--publish", action="store_true", help="only write the JSON")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    file, features = args.cache / "minutes.jsonl", args.features or args.cache
    modules = discover(BENCHMARK / "fields", args.fields)
    load = functools.cache(lambda name: modules[name].load(args.data, features))
    for seed in [] if args.publish else args.seeds:
        for name in args.fields:
            classes = functools.partial(class_names, features / "made", name)
            for row in measured(name, load(name), seed, rows_of(file), classes):
                print(*row.values(), flush=True)
                with file.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
    command = "python benchmarks/minutes.py --data=DATA --cache=CACHE"
    content = {"machine": machine(), "command": command, "rows": [*rows_of(file).values()]}
    publish("minutes", content, args.out, columns=COLUMNS)


def rows_of(file: pathlib.Path) -> dict[Cell, dict[str, Any]]:
    """Return the rows of a file by their cells; a torn last line is removed."""
    *lines, torn = file.read_text().split("\n") if file.exists() else [""]
    if torn:  # stopped while it was written
        file.write_text("".join(f"{line}\n" for line in lines))
    rows = [json.loads(line) for line in lines]
    return {Cell(*(row[key] for key in Cell._fields)): row for row in rows}


def measured(
    name: str, field: protocol.Field, seed: int, done: Any, classes: Callable[[], Any]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a field and a seed that are not in `done`."""
    parts = protocol.split(field)
    items = train_items(field, parts.train, seed)
    for cell, fit in fits(name, items, seed, done, classes):
        if cell not in done:
            begun = time.process_time()
            pairs, aligner = fit()
            x = np.asarray(aligner.embed_x(field.x[parts.test]))
            y = np.asarray(aligner.embed_y(field.y[parts.test]))
            spent = {"seconds": time.process_time() - begun, "commit": commit()}
            yield cell._asdict() | {"pairs": pairs} | protocol.metrics(x, y) | spent


def train_items(field: protocol.Field, train: np.ndarray, seed: int) -> Items:
    order = np.random.default_rng(seed).permutation(len(train))
    ids = np.array([f"{number:05}" for number in range(len(train))])
    x, y = (np.asarray(side[train], np.float32) for side in (field.x, field.y))
    return Items(Collection(x, ids), Collection(y[order], ids[order]))


Fit = Callable[[], tuple[int, Aligner]]  # the number of pairs, and the aligner


def fits(
    name: str, items: Items, seed: int, done: Any, classes: Callable[[], Any]
) -> Iterator[tuple[Cell, Fit]]:
    """Yield the cells of a field and a seed, and how to fit each; a review runs if it is needed."""

    def of_pairs(known: np.ndarray) -> tuple[int, Aligner]:
        return len(known), aligned(items, known, seed)

    for count in ASKED:
        known = items.x.items[items_to_ask(items.x.features, count, seed=seed)]
        yield Cell(name, "ask", count, 0, seed), functools.partial(of_pairs, known)
    if name in ENCODED:
        yield Cell(name, "names", 0, 0, seed), lambda: (0, named(items, classes(), seed))
    cells = {screens: Cell(name, "review", START, screens, seed) for screens in SCREENS}
    if cells.values() - done.keys():
        for screens, known in reviewed(items, seed).items():
            yield cells[screens], functools.partial(of_pairs, known)


def aligned(items: Items, known: np.ndarray, seed: int) -> Aligner:
    """Return the default of `align` with pairs of these ids; all other items are unmatched."""
    return align(items.x, items.y, np.stack([known, known], axis=1), seed=seed)


def named(items: Items, classes: tuple[np.ndarray, np.ndarray], seed: int) -> Aligner:
    """Return the default of `align` with names of classes and without a pair."""
    y = dataclasses.replace(items.y, ids=np.char.add("y", items.y.ids))  # equal ids would be pairs
    return align(items.x, y, classes=classes, seed=seed)


@functools.cache
def class_names(made: pathlib.Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what `--classes=encoder` uses for the encoders of a field."""
    x, y = (read(made / folder) for folder in ENCODED[name])
    return encoder_classes(x.encoder, y.encoder, width=x.features.shape[1])


def reviewed(items: Items, seed: int) -> dict[int, np.ndarray]:
    """Return the ids of all pairs, by the number of screens answered."""
    known = items.x.items[items_to_ask(items.x.features, START, seed=seed)]
    aligner = aligned(items, known, seed)
    embedded = aligner.embed_x(items.x.features), aligner.embed_y(items.y.features)
    start = unit_rows(np.asarray(embedded[0])), unit_rows(np.asarray(embedded[1]))
    fit, found = refit.prepare(items.x, items.y, aligner.metadata["method"]), {}
    opened = Opened(items.x, items.y, known, start, seed, fit=fit)
    for screen in range(1, max(SCREENS) + 1):
        answer(opened.session)
        if screen in SCREENS:
            found[screen] = items.x.items[opened.session.pairs()[0]]
    opened.close()
    return found


def answer(session: Session) -> None:
    """Click the partner, which has the same id, if it is on the screen, else "none of these"."""
    question = session.question()
    assert question is not None
    partner = session.standing.of_x[str(session.y.items[question.y])]
    if partner in question.x:
        session.answer(question.screen, "match", partner)
    else:
        session.answer(question.screen, "none")


if __name__ == "__main__":
    main()

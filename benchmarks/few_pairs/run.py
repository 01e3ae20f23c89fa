"""Few-pairs benchmark: every method on every field, one row for each draw of pairs.

    python benchmarks/few_pairs/run.py --data=DATA --cache=CACHE [--fields ...] [--methods ...]

Rows are appended to CACHE/few_pairs.jsonl as they come; stopped and run again, it goes on. Writes
docs/results/few_pairs.json, and few_pairs_default.json with what the default states of itself.
--choose takes the items and the seeds for choosing settings; its rows stay in
CACHE/few_pairs_choosing.jsonl.
"""

import argparse
import functools
import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
from published import commit, publish  # noqa: E402

from few_pairs import protocol  # noqa: E402
from few_pairs.protocol import Embed, Field, Parts  # noqa: E402

SHARED = "shared_encoder"  # the rival without a method, of fields that have one
EARLY_PAIRS, EARLY_SEEDS = 300, 3  # cells up to these come first
PACKAGES = ("gentle-clip-jax", "jax", "numpy", "scikit-learn", "scipy", "POT", "rdkit")
COLUMNS = ("field", "pairs", "seed", "method", "recall", "r1", "r5", "r10", "order", "label_1")
COLUMNS += ("label_5", "seconds", "commit", "error")
STATED = ("field", "pairs", "seed", "method", "chosen", "expected", "low", "high", "among")
STATED += ("unmatched_recall", "commit")


class Cell(NamedTuple):
    """One measurement: a row of the results."""

    field: str
    pairs: int
    seed: int
    method: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="features and rows")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE, help="of fields/, methods/")
    parser.add_argument("--fields", nargs="*", help="names of fields (default: all)")
    parser.add_argument("--methods", nargs="*", help="names of methods (default: all)")
    parser.add_argument("--choose", action="store_true", help="items and seeds for choosing")
    parser.add_argument("--again", nargs="*", default=[], help="methods to measure anew")
    parser.add_argument("--publish", action="store_true", help="only write the JSON")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the JSON (default: docs)")
    args = parser.parse_args()
    fields = discover(args.folder / "fields", args.fields)
    methods = discover(args.folder / "methods", args.methods)
    file = args.cache / f"few_pairs{'_choosing' if args.choose else ''}.jsonl"
    args.cache.mkdir(parents=True, exist_ok=True)
    load = functools.cache(lambda name: _loaded(name, fields[name], args.data, args.cache))
    done = {cell for cell in rows_of(file) if cell.method not in args.again}
    for row in () if args.publish else measure(fields, methods, load, done, args.choose):
        with file.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
    if not args.choose:
        metadata = {path.stem: json.loads(path.read_text()) for path in args.cache.glob("*.field")}
        content = {
            "machine": _machine(),
            "versions": _versions(),
            "command": "python benchmarks/few_pairs/run.py --data=DATA --cache=CACHE",
            "fields": {name: metadata.get(name) for name in fields},  # None if it was never loaded
            "methods": {name: module.LABEL for name, module in methods.items()},
            "without_pairs": [name for name, one in methods.items() if _without_pairs(one)],
            "one_space": [name for name, one in methods.items() if _one_space(one)],
            "rows": [row for cell, row in rows_of(file).items() if cell.field in fields],
        }
        out = [args.out] if args.out else []
        publish("few_pairs", content, *out, columns=COLUMNS)
        stated = {name: content[name] for name in ("machine", "versions", "command")}
        stated["rows"] = [row for row in content["rows"] if "chosen" in row]
        publish("few_pairs_default", stated, *out, columns=STATED)


def discover(folder: pathlib.Path, names: list[str] | None = None) -> dict[str, ModuleType]:
    """Return the modules of a folder by name, those of `names` if given, in alphabetical order.

    Raises:
      ValueError: there is no file of that name.
    """
    paths = {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}
    if lost := [name for name in names or () if name not in paths]:
        raise ValueError(f"{folder} has no {lost[0]}.py. There are: {', '.join(paths)}.")
    modules = {}
    for name in names or paths:
        spec = importlib.util.spec_from_file_location(f"{folder.name}_{name}", paths[name])
        if spec is None or spec.loader is None:
            raise ValueError(f"{paths[name]} cannot be imported.")
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return modules


def rows_of(file: pathlib.Path) -> dict[Cell, dict[str, Any]]:
    """Return the rows of a file by their cells, the last of each; a torn last line is ignored."""
    if not file.exists():
        return {}
    lines = file.read_text().split("\n")
    rows = [json.loads(line) for line in lines[:-1]]
    if lines[-1]:  # stopped while it was written
        file.write_text("".join(f"{line}\n" for line in lines[:-1]))
    return {Cell(*(row[key] for key in Cell._fields)): row for row in rows}


def measure(fields, methods, load, done, choose: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows that are not in `done`; cells of few pairs and the first seeds come first.

    load: function of a field's name that returns the field.
    """
    seeds = protocol.CHOOSING if choose else protocol.REPORTING
    split = functools.cache(lambda name: protocol.split(load(name)))
    for early in (True, False):
        for seed, pairs in ((seed, pairs) for seed in seeds for pairs in (0, *protocol.PAIRS)):
            if early != (pairs <= EARLY_PAIRS and seed - seeds[0] < EARLY_SEEDS):
                continue
            for name, method in ((field, one) for field in fields for one in (*methods, SHARED)):
                cell = Cell(name, pairs, seed, method)
                if cell not in done and (row := _row(cell, load, split, methods, choose)):
                    yield row


def _row(cell: Cell, load, split, methods, choose: bool) -> dict[str, Any] | None:
    """Return the row of a cell, with the error if its method fails; None if there is no such."""
    field, parts = load(cell.field), split(cell.field)
    items = parts.choice if choose else parts.test
    labels = None if field.labels is None else field.labels[items]
    row = {**cell._asdict(), "commit": commit()}
    if cell.method == SHARED:  # needs no pair, so that all draws are alike
        if cell.pairs or cell.seed not in (protocol.REPORTING[0], protocol.CHOOSING[0]):
            return None
        if field.shared is None:
            return None
        return row | protocol.metrics(*(side[items] for side in field.shared), labels)
    module = methods[cell.method]
    if _one_space(module) and field.x.shape[1] != field.y.shape[1]:
        return None  # the method does not apply
    fits = _without_pairs(module) if not cell.pairs else cell.pairs < len(parts.train)
    if not fits or (_without_pairs(module) and cell.pairs):
        return None
    if getattr(module, "COSTLY", False) and not protocol.is_for_costly(cell.pairs, cell.seed):
        return None
    started = time.process_time()
    try:
        figures = _figures(field, parts, cell, module, items, labels)
    except Exception as error:
        figures = {"error": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.process_time() - started
    print(*cell, f"{figures.get('recall', -1):.1f}", f"{seconds:.1f} s", flush=True)
    return row | figures | {"seconds": seconds}


def _figures(
    field: Field, parts: Parts, cell: Cell, module: ModuleType, items: np.ndarray, labels
) -> dict[str, Any]:
    """Fit, embed and measure; beside it what the method states of itself, if it does."""
    drawn = protocol.draw(field, parts.train, cell.pairs, cell.seed)
    embed_x, embed_y, *stated = module.fit(*drawn, cell.seed)
    embeds: tuple[Embed, Embed] = embed_x, embed_y
    embedded = (embed(rows[items]) for embed, rows in zip(embeds, (field.x, field.y)))
    figures = protocol.metrics(*embedded, labels)
    if not stated:
        return figures
    of_draw = field, parts.train, cell.pairs, cell.seed
    recall = protocol.unmatched_recall(*of_draw, embeds, stated[0]["among"])
    return figures | stated[0] | {"unmatched_recall": recall}


def _without_pairs(module: ModuleType) -> bool:
    return getattr(module, "WITHOUT_PAIRS", False)


def _one_space(module: ModuleType) -> bool:
    return getattr(module, "ONE_SPACE", False)


def _loaded(name: str, module: ModuleType, data: pathlib.Path, cache: pathlib.Path) -> Field:
    """Return a field, and keep what the page says of it."""
    field = module.load(data, cache)
    (cache / f"{name}.field").write_text(json.dumps(_metadata(field)))
    return field


def _metadata(field: Field) -> dict[str, Any]:
    sizes = {name: len(part) for name, part in protocol.split(field)._asdict().items()}
    widths = [field.x.shape[1], field.y.shape[1]]
    names = ("description", "encoders", "licence")
    return {name: getattr(field, name) for name in names} | {"widths": widths, "items": sizes}


def _machine() -> str:
    from gentle_clip_jax.runs.log import processor

    return processor()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()

"""Random search for the settings of heads: the best chance of the paper's loss.

    python benchmarks/few_pairs/search_heads.py --data=DATA --cache=CACHE

On the items and seeds for choosing, settings are drawn at random for Gentle-CLIP and, as many, for
CLIP; the best of them are judged by more seeds. Then each term is left out at the best settings,
on test items and reporting seeds, once. Rows are appended to CACHE/heads.jsonl as they come;
stopped and run again, it goes on. Writes docs/results/few_pairs_heads.json.
"""

import argparse
import functools
import json
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
from published import publish  # noqa: E402

from few_pairs import protocol, run  # noqa: E402
from few_pairs.heads import Settings, Weights, fit_heads  # noqa: E402
from few_pairs.package import fit_method  # noqa: E402

FIELDS = ("emoji", "molecules", "photographs")
FEW = 100  # pairs of the search; ALL stands for all pairs
ALL = -1
DRAWN = {("gentle_clip", FEW): 60, ("clip", FEW): 60, ("clip", ALL): 12}
JUDGED = 4  # best settings that get all seeds for choosing
SEEDS = 3  # for choosing
CLOSED_FORMS = ("cca", "auto")
LEFT_OUT = {"mmd": ("mmd",), "sdd": ("sdd",), "ssl": ("ssl",), "all": ("mmd", "sdd", "ssl")}


class Cell(NamedTuple):
    """One measurement. number: of the settings; "variant" says which terms are left out."""

    part: str  # "choice" or "test"
    field: str
    pairs: int
    objective: str
    number: int
    variant: str
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="features and rows")
    parser.add_argument("--fields", nargs="*", default=FIELDS, help="default: three")
    parser.add_argument("--publish", action="store_true", help="only write the JSON")
    args = parser.parse_args()
    file = args.cache / "heads.jsonl"
    done = rows_of(file)
    if not args.publish:
        for name, module in run.discover(HERE / "fields", list(args.fields)).items():
            field = module.load(args.data, args.cache)
            for row in measured(name, field, done):
                with file.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
    content = {
        "machine": run._machine(),
        "versions": run._versions(),
        "command": "python benchmarks/few_pairs/search_heads.py --data=DATA --cache=CACHE",
        "settings": {
            f"{objective} {pairs}": [
                {**settings._asdict(), **weights._asdict()}
                for settings, weights in map(drawn, range(number))
            ]
            for (objective, pairs), number in DRAWN.items()
        },
        "rows": [*rows_of(file).values()],
    }
    publish("few_pairs_heads", content, columns=(*Cell._fields, "recall", "seconds", "commit"))


def drawn(number: int) -> tuple[Settings, Weights]:
    """Return the settings of that number: the same for all fields and objectives."""
    rng = np.random.default_rng(number)
    matched, unmatched = [(64, 128), (128, 256)][rng.integers(2)]
    settings = Settings(
        start=["random", "cca"][rng.integers(2)],
        dim=[64, 256][rng.integers(2)],
        steps=[250, 1000][rng.integers(2)],
        matched=matched,
        unmatched=unmatched,
    )
    ranges = {
        "learning_rate": (-4, -2),
        "weight_decay": (-3, 0),
        "temperature": (-2, -0.3),
        "mmd": (0, 3),
        "sdd": (0, 3),
        "ssl": (-2, 1),
    }
    powers = {name: float(10 ** rng.uniform(*of)) for name, of in ranges.items()}
    return settings, Weights(**powers)


def rows_of(file: pathlib.Path) -> dict[Cell, dict[str, Any]]:
    """Return the rows of a file by their cells; a torn last line is ignored."""
    if not file.exists():
        return {}
    whole = file.read_text().split("\n")[:-1]
    file.write_text("".join(f"{line}\n" for line in whole))
    return {Cell(*(row[name] for name in Cell._fields)): row for row in map(json.loads, whole)}


def measured(name: str, field: protocol.Field, done: dict[Cell, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a field that are not in `done`, and put them there."""
    parts = protocol.split(field)

    def recall_of(cells: list[Cell]) -> Iterator[dict[str, Any]]:
        for cell in cells:
            if cell not in done:
                done[cell] = _row(cell, field, parts)
                yield done[cell]

    first, *others = protocol.CHOOSING[:SEEDS]
    for (objective, pairs), number in DRAWN.items():
        cells = [Cell("choice", name, pairs, objective, i, "whole", first) for i in range(number)]
        yield from recall_of(cells)
        best = sorted(cells, key=lambda cell: -done[cell]["recall"])[:JUDGED]
        yield from recall_of([cell._replace(seed=seed) for cell in best for seed in others])
    yield from recall_of([
        Cell("choice", name, pairs, method, 0, "whole", seed)
        for method in CLOSED_FORMS
        for pairs in (FEW, ALL)
        for seed in protocol.CHOOSING[:SEEDS]
    ])  # fmt: skip
    yield from recall_of(list(_tests(name, done)))


def chosen(name: str, pairs: int, objective: str, done: dict[Cell, Any]) -> int:
    """Return the number of the settings with the best mean over the seeds for choosing."""
    recalls: dict[int, list[float]] = {}
    for cell, row in done.items():
        if cell[:4] == ("choice", name, pairs, objective):
            recalls.setdefault(cell.number, []).append(row["recall"])
    judged = {number: np.mean(one) for number, one in recalls.items() if len(one) == SEEDS}
    return max(judged, key=lambda number: float(judged[number]))


def _tests(name: str, done: dict[Cell, Any]) -> Iterator[Cell]:
    """Yield the cells on test items: the best settings, and what they are compared with."""
    number = {key: chosen(name, key[1], key[0], done) for key in DRAWN}
    for seed in protocol.REPORTING:
        at = functools.partial(Cell, "test", name, FEW, seed=seed)
        for variant in ("whole", *LEFT_OUT):
            yield at("gentle_clip", number["gentle_clip", FEW], variant)
        yield at("clip", number["clip", FEW], "whole")
        for method in CLOSED_FORMS:
            yield at(method, 0, "whole")
    for seed in protocol.REPORTING[:SEEDS]:  # of the initial weights, as all pairs are taken
        yield Cell("test", name, ALL, "clip", number["clip", ALL], "whole", seed)
        yield Cell("test", name, ALL, "cca", 0, "whole", seed)


def _row(cell: Cell, field: protocol.Field, parts: protocol.Parts) -> dict[str, Any]:
    items = parts.choice if cell.part == "choice" else parts.test
    pairs = cell.pairs if cell.pairs != ALL else len(parts.train)
    rows = protocol.draw(field, parts.train, pairs, cell.seed)
    started = time.process_time()
    if cell.objective in CLOSED_FORMS:
        embeds = fit_method(cell.objective, *rows, cell.seed)
    else:
        settings, weights = drawn(cell.number)
        out = dict.fromkeys(LEFT_OUT.get(cell.variant, ()), 0.0)
        embeds = fit_heads(cell.objective, *rows, cell.seed, settings, weights._replace(**out))
    embedded = (embed(side[items]) for embed, side in zip(embeds, (field.x, field.y)))
    recall = protocol.metrics(*embedded, None)["recall"]
    seconds = time.process_time() - started
    print(*cell, f"{recall:.1f}", f"{seconds:.1f} s", flush=True)
    return {**cell._asdict(), "recall": recall, "seconds": seconds, "commit": run.commit()}


if __name__ == "__main__":
    main()

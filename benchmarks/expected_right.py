"""How often the 95 % interval of the number of right matches holds: many to one and one to one.

    python benchmarks/expected_right.py --data=DATA --work=WORK [--draws 10]

Sets, draws and CCA as in benchmarks/lists.py, with 60 to 1,000 pairs, and with every partner in y
or half of them. Settings were chosen on draws below 140; draws from there on judge. Writes
docs/results/expected_right.json; goes on after a stop.
"""

import argparse
import itertools
import pathlib
from typing import Any

from lists import drawn, load
from prediction_sets import PAIRS
from published import RESULTS, command, publish, read

from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

NUMBERS, FIRST = (60, 100, 300, 1000), 140
COLUMNS = ("set", "draw", "pairs", "share", "one_to_one", "right", "value", "low", "high")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder of the features")
    parser.add_argument("--draws", type=int, default=10)
    args = parser.parse_args()
    content: dict[str, Any] = read("expected_right") or {"rows": []}
    done = {(row["set"], row["draw"], row["pairs"]) for row in content["rows"]}
    loaded = {name: load(args.work, args.data, name) for name in PAIRS}
    draws = range(FIRST, FIRST + args.draws)
    for draw, (name, (x, y)), pairs in itertools.product(draws, loaded.items(), NUMBERS):
        if (name, draw, pairs) in done or len(x) - pairs < 100:
            continue
        for share in (1.0, 0.5):
            fitted, of_x, of_y, settings = drawn(x, y, pairs, share, draw)
            for one_to_one in (False, True):
                found = match_arrays(fitted, of_x, of_y, one_to_one=one_to_one, **settings)
                assert found.expected is not None
                row = {"set": name, "draw": draw, "pairs": pairs, "share": share}
                row |= {"one_to_one": one_to_one, "right": int(sum(found.x == found.y))}
                content["rows"].append(row | found.expected._asdict())
        print(name, draw, pairs, flush=True)
        facts = {"command": command("expected_right"), "commit": commit(), "machine": machine()}
        summary = {"summary": summarised(content["rows"])}
        publish("expected_right", {**content, **facts, **summary}, RESULTS, COLUMNS)


def summarised(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by set and way of matching, in how many per cent of draws the interval holds."""
    groups = []
    for name, one_to_one in itertools.product((*PAIRS, "all"), (False, True)):
        some = [row for row in rows if row["one_to_one"] == one_to_one]
        some = [row for row in some if name in (row["set"], "all")]
        if some:
            below, above, width, off = (
                100 * sum(values) / len(some)
                for values in zip(*(_outcome(row) for row in some), strict=True)
            )
            found = {"set": name, "one_to_one": one_to_one, "fits": len(some)}
            found |= {"holds": 100 - below - above, "fewer_right": below, "more_right": above}
            found |= {"width": width / 100, "expected_less_right": off / 100}
            groups.append({key: _rounded(value) for key, value in found.items()})
    return groups


def _outcome(row: dict[str, Any]) -> tuple[float, ...]:
    """Return whether fewer are right than in the interval, or more; its width; and the gap."""
    low, right, high = (row[name] for name in ("low", "right", "high"))
    return right < low, right > high, high - low, row["value"] - right


def _rounded(value: Any) -> Any:
    return round(value, 1) if isinstance(value, float) else value


if __name__ == "__main__":
    main()

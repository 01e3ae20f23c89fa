"""How often the 95 % interval of the number of right matches holds: many to one and one to one.

    python benchmarks/expected_right.py --data=DATA --work=WORK [--draws 8]

Sets, draws and CCA as in benchmarks/lists.py, with 60 to 1,000 pairs, and with every partner in y
or half of them. Settings were chosen on draws below 140; draws from there on judge. Writes
docs/results/expected_right.json; goes on after a stop.
"""

import itertools
from typing import Any

from lists import drawn, load, parser_of
from prediction_sets import PAIRS
from published import RESULTS, command, publish, read
from sets import COUNTS, LEAST_REST

from gentle_clip_jax.matching import match_arrays
from gentle_clip_jax.runs.log import machine
from gentle_clip_jax.training.provenance import commit

FIRST = 140  # draw
COLUMNS = ("set", "draw", "pairs", "share", "one_to_one", "right", "value", "low", "high")


def main() -> None:
    args = parser_of(__doc__, draws=8).parse_args()
    content: dict[str, Any] = read("expected_right") or {"rows": []}
    done = {(row["set"], row["draw"], row["pairs"]) for row in content["rows"]}
    loaded = {name: load(args.work, args.data, name) for name in PAIRS}
    draws = range(FIRST, FIRST + args.draws)
    for draw, (name, (x, y)), pairs in itertools.product(draws, loaded.items(), COUNTS):
        if (name, draw, pairs) in done or len(x) - pairs < LEAST_REST:
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
        publish("expected_right", {**content, **facts}, RESULTS, COLUMNS)


if __name__ == "__main__":
    main()

"""Section of the page: heads at the best of settings drawn at random, and without single terms."""

import statistics
from typing import Any

from published import groups, read, spread, table

ALL = -1  # stands for all pairs
TEXT = """\
## Heads at their best settings

Settings of heads were drawn at random, 60 for each field and loss and 12 with all pairs: start,
width, batch, steps, learning rate, weight decay, temperature, and the weights of MMD, SDD and SSL
over three decades. The recall of items for choosing chose them (seed 10, and the best four by two
more seeds). Every setting that was chosen starts from CCA of the pairs. The table is measured on
test items with these settings, once: recall, per cent. *Difference*: paired by seed, the row minus
Gentle-CLIP heads with all terms. Features are frozen, so this says nothing of trained encoders.

On emoji and photographs the best of the first 32 settings had been measured on test items before
the other 28 were drawn. These changed one choice: CLIP heads on photographs, from 14.8 to 15.4.

"""
LEFT_OUT = {
    "whole": "Gentle-CLIP heads",
    "mmd": "without MMD",
    "sdd": "without SDD",
    "ssl": "without SSL",
    "all": "without all three",
}
LABELS = {"clip": "CLIP heads, their own settings", "cca": "CCA", "auto": "default"}


def section() -> str:
    """Return the section, "" before the search was made."""
    content = read("few_pairs_heads")
    rows = [row for row in content.get("rows", ()) if row["part"] == "test"]
    parts = [_of_field(name, of) for (name,), of in groups(rows, "field").items()]
    return TEXT + "\n".join(parts) if parts else ""


def _of_field(name: str, rows: list[dict[str, Any]]) -> str:
    few = groups((row for row in rows if row["pairs"] != ALL), "objective", "variant")
    every = groups((row for row in rows if row["pairs"] == ALL), "objective")
    # Of settings that were measured on test items, the last ones are those that were chosen.
    few = {key: [*{row["seed"]: row for row in of}.values()] for key, of in few.items()}
    whole = {row["seed"]: row["recall"] for row in few["gentle_clip", "whole"]}
    keys = [("gentle_clip", variant, label) for variant, label in LEFT_OUT.items()]
    keys += [(method, "whole", label) for method, label in LABELS.items()]
    lines = []
    for method, variant, label in keys:
        of = few[method, variant]
        less = [row["recall"] - whole[row["seed"]] for row in of]
        with_all = every.get((method,), []) if method != "gentle_clip" else []
        mean = f"{statistics.fmean(row['recall'] for row in with_all):.1f}" if with_all else ""
        difference = "" if variant == "whole" and method == "gentle_clip" else spread(less)
        lines.append((label, spread([row["recall"] for row in of]), difference, mean))
    return table(f"`{name}` | 100 pairs, five seeds | difference | all pairs", lines)

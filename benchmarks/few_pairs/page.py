"""Page of the few-pairs benchmark, from docs/results/few_pairs.json."""

import statistics
from collections.abc import Iterable

from published import groups, read, spread, table

from few_pairs import searched
from few_pairs.default import section
from few_pairs.protocol import NEIGHBOURS, PAIRS, REPORTING, TRAIN

INTRODUCTION = f"""\
# The few-pairs benchmark

How well do a few matched pairs and many unmatched items align two modalities? One protocol for
every field and every method:

- A field's items fall into three fixed parts, by the SHA-256 of an item's id, or of its group where
  a field has groups (scaffolds, homologous proteins): items to draw pairs from (at most {TRAIN:,}),
  to choose settings by, and to test on (at most 1,000). The defaults of this package were settled
  before this benchmark, partly on the same data sets (aerial images, photographs, icons, proteins),
  in which items tested here were training items; the rule by which `align` chooses was settled on
  its items [for choosing](#the-default).
- {", ".join(map(str, PAIRS[:-1]))} and {PAIRS[-1]:,} random pairs, as far as there are, with
  seeds {REPORTING[0]} to {REPORTING[-1]}; more pairs of a seed include the fewer.
- The unmatched sets are all other items of the first part, shuffled apart: they hold each other's
  partners.
- *Recall*: mean of R@1, R@5 and R@10, both ways, among all test items. *Order*: one minus FOSCTTM.
  *Labels*: how often the nearest {NEIGHBOURS} items of the other modality, the partner among them,
  have mostly the item's label. All in per cent. A tie counts against the method.
- *Seconds*: CPU time of the fit and of embedding the test items, with the compilation of programs
  that were not compiled before, on a machine with other work.

No method gets gallery smoothing, names of classes or richer features. *The same encoder on both
sides* needs no pair and no method; it exists where both modalities are texts of one language.
"""
ADDING = """\
## Adding a method or a field

A method is one file `benchmarks/few_pairs/methods/NAME.py` with a `LABEL` and

```python
def fit(x, y, unmatched_x, unmatched_y, seed):  # raw features; y[i] is the partner of x[i]
    ...
    return embed_x, embed_y  # functions of raw features [n, d]; cosines compare their rows [n, k]
```

and `WITHOUT_PAIRS = True` if it needs no pair, `ONE_SPACE = True` if it takes only features of
equal widths, or `COSTLY = True` if it takes minutes: then it is measured with 12, 100 and 1,000
pairs and three seeds. A method that trains heads only names its objective, as `methods/clip.py`
does; the trainer is `benchmarks/few_pairs/heads.py`. A field is one file
`benchmarks/few_pairs/fields/NAME.py` with `load(data, cache)`, which returns a `Field` of
`benchmarks/few_pairs/protocol.py`. `python benchmarks/few_pairs/run.py --data=DATA --cache=CACHE`
then measures what is missing; it can be stopped at any time and continues when it is run again.
Settings are chosen with `--choose`, which takes other items and other seeds. Finally
`python benchmarks/pages.py few_pairs_benchmark` writes this page.
"""
HOW_FAR = f"""\
## How far it is

Tables state mean and sample standard deviation over the seeds, and in brackets the number of seeds
where it is not {len(REPORTING)}. An empty cell was not measured yet, or there are not as many
pairs. Heads were measured with three seeds, by their first settings.

"""
FIGURES = {"recall": "Recall", "order": "Order", "label_5": "Labels"}


def page() -> str:
    """Return the page in Markdown."""
    content = read("few_pairs")
    lost = [name for name, one in content["fields"].items() if one is None]
    content["fields"] = {name: one for name, one in content["fields"].items() if one}
    parts = [INTRODUCTION, _fields(content), _missing(content, lost), section(content)]
    parts += [searched.section()]
    of_field = groups(_done(content), "field")
    parts += [_field(name, content, of_field.get((name,), [])) for name in content["fields"]]
    parts += [_seconds(content), ADDING, _origin(content)]
    return "\n".join(part for part in parts if part)


def _done(content: dict) -> list[dict]:
    return [row for row in content["rows"] if row["recall"] is not None]


def _fields(content: dict) -> str:
    rows = [
        (
            f"`{name}`",
            one["description"],
            " / ".join(one["encoders"]),
            " / ".join(f"{width:,}" for width in one["widths"]),
            " / ".join(f"{one['items'][part]:,}" for part in ("train", "choice", "test")),
        )
        for name, one in content["fields"].items()
    ]
    heads = "field | items | features | width | items to draw from / choose by / test on"
    return "## Fields\n\n" + table(heads, rows, left=3)


def _field(name: str, content: dict, rows: list[dict]) -> str:
    """Return the tables of a field, one for each figure."""
    title = content["fields"][name]["description"]
    parts = [f"## {title[0].upper()}{title[1:]}\n"]
    for key, figure in FIGURES.items():
        measured = [row for row in rows if row[key] is not None]
        if measured:
            parts.append(f"{figure}:\n\n{_table(content, measured, key)}")
    return "\n".join(parts) if rows else f"{parts[0]}\nNothing was measured yet.\n"


def _table(content: dict, rows: list[dict], key: str) -> str:
    counts = sorted({row["pairs"] for row in rows})
    cells = groups(rows, "method", "pairs")
    lines = []
    for method, label in _labels(content).items():
        values = [[row[key] for row in cells.get((method, count), [])] for count in counts]
        if any(values):
            lines.append((label, *map(_cell, values)))
    return table(["", *(f"{count:,} pairs" if count else "no pair" for count in counts)], lines)


def _labels(content: dict) -> dict[str, str]:
    return content["methods"] | {"shared_encoder": "the same encoder on both sides"}


def _cell(values: list[float]) -> str:
    seeds = f" ({len(values)})" if 0 < len(values) < len(REPORTING) else ""
    return spread(values) + seeds


def _seconds(content: dict) -> str:
    cells = groups((row for row in _done(content) if row["seconds"]), "method", "pairs")
    counts = sorted({pairs for _, pairs in cells})
    if not cells:
        return ""
    lines = [
        (label, *(_median(row["seconds"] for row in cells.get((method, n), [])) for n in counts))
        for method, label in content["methods"].items()
    ]
    heads = ["", *(f"{count:,} pairs" if count else "no pair" for count in counts)]
    return "## Seconds of CPU\n\nMedian over the fields and seeds that were measured:\n\n" + table(
        heads, lines
    )


def _median(values: Iterable[float]) -> str:
    values = [*values]
    return f"{statistics.median(values):.1f}" if values else ""


def _missing(content: dict, lost: list[str]) -> str:
    """Return how much of the benchmark was measured, and which methods failed where."""
    wanted = [
        (field, pairs)
        for field, one in content["fields"].items()
        for pairs in PAIRS
        if pairs < one["items"]["train"]
    ]
    measured = groups(_done(content), "method")
    most = dict.fromkeys(content["methods"], len(wanted))
    most |= dict.fromkeys(content["without_pairs"], len(content["fields"]))
    equal = {name for name, one in content["fields"].items() if len({*one["widths"]}) == 1}
    of_equal = sum(field in equal for field, _ in wanted)
    most |= dict.fromkeys(content["one_space"], of_equal)
    rows = [
        (label, f"{len(measured.get((name,), [])):,} of {most[name] * len(REPORTING):,}")
        for name, label in content["methods"].items()
    ]
    failed = groups((row for row in content["rows"] if row["error"]), "method", "error")
    errors = [
        f"- `{method}` failed {len(some)} times on "
        f"{', '.join(sorted({row['field'] for row in some}))}: {error}\n"
        for (method, error), some in failed.items()
    ]
    if lost:
        errors.insert(0, f"- Fields that were not measured yet: {', '.join(lost)}.\n")
    return HOW_FAR + table("method | draws measured", rows) + "\n" + "".join(errors)


def _origin(content: dict) -> str:
    commits = ", ".join(sorted({row["commit"] for row in content["rows"]}))
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return (
        f"Measured by `{content['command']}` on {content['machine']}, at commit {commits} "
        f"(+: with uncommitted changes), with {versions}.\n"
    )

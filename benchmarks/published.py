"""Results of docs/results: their JSON, and the tables and figures of the pages made from it.

A benchmark calls `publish`; `python benchmarks/pages.py` then renders the pages.
"""

import functools
import json
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

LEFT = "c7fb12a"  # commit at which the scripts of the comparisons stand, which left the tree
ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
DIGITS = 8  # significant, of a kept number; with seven, a shown figure changed
COLUMNS, ROWS = "columns", "rows"  # names of equal dictionaries, and their values as lists


def read(name: str, folder: pathlib.Path = RESULTS) -> Any:
    """Return the kept results of a benchmark, or an empty dictionary if it was never run."""
    path = folder / f"{name}.json"
    return unpacked(json.loads(path.read_text())) if path.exists() else {}


def publish(
    name: str, content: Any, folder: pathlib.Path = RESULTS, columns: Sequence[str] = ()
) -> None:
    """Write docs/results/NAME.json, and add the commit to `commits` if no other key names it.

    columns: store only these fields of `content["rows"]`.
    """
    if columns:
        rows = [[row.get(column) for column in columns] for row in content["rows"]]
        content = {**content, COLUMNS: [*columns], ROWS: rows}
    commits = content.get("commits", read(name, folder).get("commits", []))
    if not (_names_commit(content) or isinstance(commits, dict)):
        content = {**content, "commits": [*dict.fromkeys([*commits, commit()])]}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(packed(rounded(content)), separators=(",", ":"), ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n")
    print(f"Wrote {folder / name}.json. To render the pages: python benchmarks/pages.py")


def _names_commit(content: dict) -> bool:
    rows = content.get(ROWS) or [[]]
    return "commit" in content or "commit" in content.get(COLUMNS, rows[0])


def packed(value: Any) -> Any:
    """Return the value with the names of equal dictionaries written once, which `unpacked` undoes.

    >>> packed([{"seed": 0, "test": {"r1": 12}}, {"seed": 1, "test": {"r1": 13}}])
    {'columns': ['seed', ['test', ['r1']]], 'rows': [[0, [12]], [1, [13]]]}
    """
    if not isinstance(value, dict | list):
        return value
    inner = [*value.values()] if isinstance(value, dict) else value
    names = _names(inner) if len(inner) > 1 else []
    rows = [_row(one, names) for one in inner] if names else [packed(one) for one in inner]
    if isinstance(value, dict):
        rows = dict(zip(value, rows))
    return {COLUMNS: names, ROWS: rows} if names else rows


def _names(values: Sequence[Any]) -> list[Any]:
    """Return the names that all values have, as dictionaries; [] if they differ."""
    first = [*values[0]] if isinstance(values[0], dict) else []
    if any(not isinstance(value, dict) or [*value] != first for value in values):
        return []
    inner = {name: _names([value[name] for value in values]) for name in first}
    return [[name, names] if names else name for name, names in inner.items()]


def _row(value: dict[str, Any], names: Sequence[Any]) -> list[Any]:
    return [
        packed(value[name]) if isinstance(name, str) else _row(value[name[0]], name[1])
        for name in names
    ]


def unpacked(value: Any) -> Any:
    """Return a value as it was before `packed`."""
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if not {COLUMNS, ROWS} <= value.keys():
        return {key: unpacked(one) for key, one in value.items()}
    value = dict(value)
    names, rows = value.pop(COLUMNS), value.pop(ROWS)
    if isinstance(rows, dict):
        rows = {key: _named(row, names) for key, row in rows.items()}
    else:
        rows = [_named(row, names) for row in rows]
    return {**unpacked(value), ROWS: rows} if value else rows


def _named(row: Sequence[Any], names: Sequence[Any]) -> dict[str, Any]:
    found = {}
    for name, value in zip(names, row):
        if isinstance(name, str):
            found[name] = unpacked(value)
        else:
            found[name[0]] = _named(value, name[1])
    return found


@functools.cache
def commit() -> str:
    """Return the commit of this checkout, with + after it if tracked files were changed."""
    git = functools.partial(subprocess.run, cwd=ROOT, capture_output=True, text=True)
    name = git(["git", "rev-parse", "--short", "HEAD"]).stdout.strip()
    changed = git(["git", "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    return name + "+" * bool(changed)


def commits_of(content: dict, *names: str) -> str:
    """Return the commits that measured figures, or first stored them; names: of some runs only."""
    found = content["commits"]
    if isinstance(found, dict):
        found = dict.fromkeys(one for name, of in found.items() for one in of if name in names)
    return ", ".join(found)


def rounded(value: Any) -> Any:
    """Return the value with floats of few significant digits, also inside lists and dictionaries.

    >>> rounded({"recall": [0.12345678901, 12]})
    {'recall': [0.12345679, 12]}
    """
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def command(script: str) -> str:
    """Return the command line that runs the calling benchmark again.

    An absolute path, which another machine lacks, becomes the name of its option in capitals.
    """
    words = [re.sub(r"^--(\w+)=/.*", _capitals, word) for word in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{script}.py", *words])


def _capitals(option: re.Match) -> str:
    return f"--{option[1]}={option[1].upper()}"


def table(heads: Sequence[str] | str, rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table with the first columns aligned to the left, others to the right.

    heads: of the columns; or one string with " | " between them.
    """
    heads = heads.split(" | ") if isinstance(heads, str) else heads
    rule = [*["---"] * left, *["---:"] * (len(heads) - left)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows)) + "\n"


def spread(values: Iterable[float], digits: int = 1, sign: str = "", times: float = 1) -> str:
    """Return the mean and the sample standard deviation; of one value the value alone.

    >>> spread([10, 20, 30]), spread([0.14], sign="+"), spread([])
    ('20.0 ± 10.0', '+0.1', '')
    """
    values = [*values]
    if not values:
        return ""
    mean = f"{times * statistics.mean(values):{sign}.{digits}f}"
    deviation = times * statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{mean} ± {deviation:.{digits}f}" if len(values) > 1 else mean


def percent(values: Iterable[float], sign: str = "") -> str:
    """Return `spread` of shares, in per cent."""
    return spread(values, sign=sign, times=100)


def means(rows: Iterable[Sequence[float]], digits: int = 1) -> str:
    """Return the mean of each figure, "zero-shot / image to text / text to image" for example."""
    return " / ".join(f"{statistics.mean(column):.{digits}f}" for column in zip(*rows))


def groups(rows: Iterable[dict], *keys: str) -> dict[tuple, list[dict]]:
    """Return rows by their values of `keys`, in the order in which these occur."""
    found: dict[tuple, list[dict]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def compact_svg(text: str) -> str:
    """Return a figure of matplotlib with short numbers, shared styles and no metadata or names.

    A tenth of a point is sharp enough; the file is less than a third as large.
    """
    text = re.sub(r" <metadata>.*?</metadata>\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}", text)
    for number, clip in enumerate(dict.fromkeys(re.findall(r'clipPath id="(\w+)"', text))):
        text = text.replace(clip, f"c{number}")
    styles = [*dict.fromkeys(re.findall(r'style="([^"]+)"', text))]
    for number, style in enumerate(styles):
        text = text.replace(f'style="{style}"', f'class="s{number}"')
    rules = "".join(f".s{number}{{{style}}}" for number, style in enumerate(styles))
    text = re.sub(r"^ +", "", text.replace("</style>", f"{rules}</style>"), flags=re.MULTILINE)
    text = re.sub(r' d="[^"]+"', lambda path: re.sub(r"\s*([A-Za-z])\s+", r"\1", path[0]), text)
    text = re.sub(r' id="(\w+)"', lambda name: name[0] if f"#{name[1]}" in text else "", text)
    groups, number = r"<g>\n((?:(?!</?g\b).)*)</g>\n", 1
    while number:  # of a single group without attributes, from the innermost
        text, number = re.subn(groups, r"\1", text, flags=re.DOTALL)
    return text


def machine_of(content: dict) -> str:
    """Return the number and the name of the processors that a benchmark ran on."""
    machine = content["machine"]
    return machine if isinstance(machine, str) else f"{machine['cpus']} x {machine['processor']}"

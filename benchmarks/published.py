"""Results of docs/results: their JSON, and the tables and figures of the pages made from it.

A benchmark calls `publish`; `python benchmarks/pages.py` then renders the pages.
"""

import json
import pathlib
import re
import shlex
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

LEFT = "c7fb12a"  # commit at which the scripts of the comparisons stand, which left the tree
ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
DIGITS = 8  # significant, of a kept number; with seven, a shown figure changed
COLUMNS = "columns"  # of rows that are stored as lists


def read(name: str, folder: pathlib.Path = RESULTS) -> Any:
    """Return the kept results of a benchmark, or an empty dictionary if it was never run."""
    path = folder / f"{name}.json"
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    if COLUMNS in content:
        names = content.pop(COLUMNS)
        content["rows"] = [dict(zip(names, row)) for row in content["rows"]]
    return content


def publish(
    name: str, content: Any, folder: pathlib.Path = RESULTS, columns: Sequence[str] = ()
) -> None:
    """Write docs/results/NAME.json.

    columns: store only these fields of `content["rows"]`, each row as a list.
    """
    if columns:
        rows = [[row.get(column) for column in columns] for row in content["rows"]]
        content = {**content, COLUMNS: [*columns], "rows": rows}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(content), separators=(",", ":"), ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n")
    print(f"Wrote {folder / name}.json. To render the pages: python benchmarks/pages.py")


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
    """Return a figure of matplotlib with short numbers, shared styles and without metadata.

    A tenth of a point is sharp enough; the file is a third as large.
    """
    text = re.sub(r" <metadata>.*?</metadata>\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}", text)
    for number, clip in enumerate(dict.fromkeys(re.findall(r'clipPath id="(\w+)"', text))):
        text = text.replace(clip, f"c{number}")
    styles = [*dict.fromkeys(re.findall(r'style="([^"]+)"', text))]
    for number, style in enumerate(styles):
        text = text.replace(f'style="{style}"', f'class="s{number}"')
    rules = "".join(f".s{number}{{{style}}}" for number, style in enumerate(styles))
    return re.sub(r"^ +", "", text.replace("</style>", f"{rules}</style>"), flags=re.MULTILINE)


def machine_of(content: dict) -> str:
    """Return the number and the name of the processors that a benchmark ran on."""
    machine = content["machine"]
    return machine if isinstance(machine, str) else f"{machine['cpus']} x {machine['processor']}"

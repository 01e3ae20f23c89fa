"""Predictions of the code on four collections: write them, and compare two such files.

    python benchmarks/predictions.py write --out NEW.json [--code .] [--sets aerial proteins]
    python benchmarks/predictions.py compare benchmarks/predictions.json NEW.json

A refactoring proves itself by this: what the code predicts (items to label, chosen methods,
held-out figures, first choices, ranks of the true partners, probabilities, a review) stays equal.
`write` runs the checkout in --code through its command line, so that one script measures the code
before and after. The first run makes the collections in --features, by
benchmarks/prediction_sets.py, from the data sets in --data: compare files of the same collections
and, as rounding differs, of the same machine. Collections that --out has of the same code are kept.
"""

import argparse
import contextlib
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import platform
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import prediction_sets

ROOT = pathlib.Path(__file__).resolve().parents[1]
SETS = ("aerial", "photographs", "proteins", "drawings")
METHODS = ("auto", "gentle_transport", "cca")
ONE_TO_ONE = ("drawings",)  # it calibrates anew, which takes minutes on the others
SEED, ASKED, SHARE, ANSWERS, HITS, FIRST = 0, 30, 1.0, 60, 20, 50
PACKAGES = ("jax", "jaxlib", "numpy", "scipy")

# By the last part of a value's name: how two of them differ, and by how much they may.
# "changed" is the share of entries that differ, "largest" the largest absolute difference.
TOLERANCES = {
    "input": ("changed", 0.0),  # other features: nothing else can be compared
    "ids": ("changed", 0.0),  # sorted by margins far above a rounding error
    "method": ("changed", 0.0),  # a choice between means of many held-out pairs
    "gallery": ("changed", 0.0),  # likewise
    "figures": ("largest", 1e-3),  # one rank that moves by one in one of some 20 splits
    "expected": ("largest", 0.05),  # a sum of 1,500 probabilities, each within their tolerance
    "probabilities": ("largest", 1.5e-4),  # 1e-4, and half a unit of the last digit written
    "first_choices": ("changed", 0.005),  # near ties, which another order of a sum decides
    "ranks": ("changed", 0.005),  # likewise
    "summary": ("largest", 2e-3),  # means over all ranks, of which 0.5 % may change
    "cosines": ("largest", 1e-4),  # float32 sums of a thousand products, after 100s of iterations
    "screens": ("changed", 0.0),  # one other screen changes all that follow
    "curve": ("largest", 1e-6),  # shares of the same few pairs
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True)
    writing = actions.add_parser("write", help="run the code and write its predictions")
    writing.add_argument("--out", type=pathlib.Path, required=True, help="JSON file to write")
    writing.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    writing.add_argument("--code", type=pathlib.Path, default=ROOT, help="checkout to run")
    writing.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    writing.add_argument("--features", type=pathlib.Path, default=ROOT / "runs" / "predictions")
    comparing = actions.add_parser("compare", help="print the differences between two files")
    comparing.add_argument("old", type=pathlib.Path)
    comparing.add_argument("new", type=pathlib.Path)
    args = parser.parse_args()
    if args.action == "write":
        write(args)
    else:
        old, new = (json.loads(path.read_text("utf-8")) for path in (args.old, args.new))
        lines, exceeded = compare(old, new)
        print("\n".join(lines))
        sys.exit(int(exceeded))


def write(args: argparse.Namespace) -> None:
    code, out, started = args.code.resolve(), args.out.resolve(), time.monotonic()
    cache = args.features.resolve() / "compiled"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    sys.path.insert(0, str(code))
    record = {
        "command": shlex.join(["python", "benchmarks/predictions.py", "write"]),
        "commit": commit(code),
        "machine": machine(),
        "seeds": {"code": SEED, "collections": prediction_sets.SEED},
        "sets": {},
        "seconds": {},
    }
    if out.exists():  # of the same code on the same machine, other collections are kept
        kept = json.loads(out.read_text("utf-8"))
        if all(kept[name] == record[name] for name in ("commit", "machine", "seeds")):
            record |= {name: kept[name] for name in ("sets", "seconds")}
    for name in args.sets:
        prediction_sets.prepare(name, args.data, args.features.resolve(), code)
        begun = time.monotonic()
        record["sets"][name] = predictions(args.features.resolve() / name)
        record["seconds"][name] = round(time.monotonic() - begun)
        print(f"{name}: {record['seconds'][name]} s", flush=True)
        save(out, record)  # after each collection: a run that is stopped has those before
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB, {time.monotonic() - started:.0f} s in all")


def save(out: pathlib.Path, record: dict[str, Any]) -> None:
    text = json.dumps(rounded(record), indent=1)
    # Lists of numbers and ids on one line each.
    text = re.sub(r"\[[^][{}]*\]", lambda found: re.sub(r"\s*\n\s*", "", found[0]), text)
    out.write_text(text + "\n", encoding="utf-8")


def predictions(folder: pathlib.Path) -> dict[str, Any]:
    """What the code predicts on one collection."""
    x, y, pairs = (str(folder / name) for name in ("x.npz", "y.npz", "pairs.csv"))
    sides = [f"--x={x}", f"--y={y}", f"--pairs={pairs}"]
    found: dict[str, Any] = {"input": [digest(path) for path in (x, y, pairs)], "methods": {}}
    with tempfile.TemporaryDirectory() as name:
        out = pathlib.Path(name)
        run("ask", f"--x={x}", f"--{number_of_ask()}={ASKED}", f"--out={out / 'ask'}")
        found["ask"] = {"ids": [line[0] for line in lines_of(out / "ask" / "ask.csv")[1:]]}
        for method in METHODS:
            aligner, matched = f"--aligner={out / method}", f"--out={out / 'matches'}"
            run("align", *sides, f"--method={method}", f"--seed={SEED}", f"--out={out / method}")
            of = found["methods"][method] = fitted(out / method) | partners(out / method, folder)
            # Of a method that auto has chosen, match takes minutes to say the same again.
            if method == METHODS[0] or found["methods"][METHODS[0]]["method"][0] != method:
                run("match", aligner, *sides, f"--share={SHARE}", matched)
                of |= matches(out / "matches")
        aligner = f"--aligner={out / METHODS[0]}"
        if folder.name in ONE_TO_ONE:
            run("match", aligner, *sides, f"--share={SHARE}", "--one-to-one", matched)
            found["one_to_one"] = matches(out / "matches")
            del found["one_to_one"]["probabilities"]  # of the same candidates
        like, hits = found["ask"]["ids"][0], out / "hits.csv"
        run("search", aligner, f"--in={x}", f"--like={like}", f"--num={HITS}", f"--csv={hits}")
        rows = table(hits)
        found["search"] = {
            "ids": [row["id"] for row in rows],
            "cosines": [float(row["score"]) for row in rows],
        }
        shutil.copy(pairs, out / "pairs.csv")
        found["review"] = review(out / "auto", folder, out / "pairs.csv")
    return found


def run(*words: str) -> None:
    """Run `gentle-clip` in this process, which saves a start and compiling anew."""
    argv, sys.argv = sys.argv, ["gentle-clip", *words]
    said, begun = io.StringIO(), time.monotonic()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_module("gentle_clip_jax", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{shlex.join(sys.argv)}: {said.getvalue()}") from end
    finally:
        sys.argv = argv
    print(f"  {words[0]}: {time.monotonic() - begun:.1f} s", flush=True)


def number_of_ask() -> str:
    """What the option for the number of items is called: it was --number, and is to be --num."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        argv, sys.argv = sys.argv, ["gentle-clip", "ask", "--help"]
        try:
            runpy.run_module("gentle_clip_jax", run_name="__main__")
        finally:
            sys.argv = argv
    return "number" if re.search(r"--number\b", said.getvalue()) else "num"


def fitted(aligner: pathlib.Path) -> dict[str, Any]:
    """The chosen method and the held-out figures that an aligner's folder tells.

    The keys are those of aligner.json, "metadata": whoever renames them there renames them here.
    """
    record = json.loads((aligner / "aligner.json").read_text("utf-8"))["metadata"]
    expected, held_out = record["expected"], record.get("held_out", {})
    figures = {
        f"held_out {name}": value
        for name, value in {
            "recall": expected["recall"]["value"],
            "recall low": expected["recall"]["low"],
            "recall high": expected["recall"]["high"],
            **{f"recall at {k}": value for k, value in expected["recall"]["at"].items()},
            "chance": expected["chance"],
            **{
                f"mean log rank of {method}": value
                for method, value in held_out.get("mean_log_rank", {}).items()
            },
        }.items()
    }
    gain = expected["unmatched"]
    if gain:
        figures |= {f"gain {end}": gain[end] for end in ("value", "low", "high")}
    return {
        "method": [record["method"], held_out.get("chosen"), gain and gain["verdict"]],
        "gallery": record["smoothed_galleries"],
        "figures": figures,
    }


def matches(folder: pathlib.Path) -> dict[str, Any]:
    """First choices by number of item, probabilities and expected matches of `match`."""
    rows = sorted(table(folder / "matches.csv"), key=lambda row: row["x"])
    expected = json.loads((folder / "matches.json").read_text("utf-8"))["expected"]
    return {
        "expected": expected,
        "first_choices": [int(row["y"][1:]) if row["y"] else -1 for row in rows],
        "probabilities": [
            round(float(row["probability"]), 4) if row["probability"] else None for row in rows
        ],
    }


def partners(folder: pathlib.Path, collection: pathlib.Path) -> dict[str, Any]:
    """Ranks of the true partners of unmatched items among all unmatched ones, both ways."""
    import gentle_clip_jax

    aligner = gentle_clip_jax.load(folder)
    given = {tuple(pair) for pair in lines_of(collection / "pairs.csv")}
    pairs = sorted(pair for pair in lines_of(collection / "partners.csv") if pair not in given)
    sides = []
    for column, (name, embed) in enumerate((("x", aligner.embed_x), ("y", aligner.embed_y))):
        with np.load(collection / f"{name}.npz") as arrays:
            features, ids = arrays["features"], arrays["ids"]
        known, item = np.unique(ids, return_inverse=True)
        rows = np.asarray(embed(features), np.float64)
        total = np.zeros((len(known), rows.shape[1]))
        np.add.at(total, item, rows)
        total /= np.linalg.norm(total, axis=1, keepdims=True)
        sides.append(total[np.searchsorted(known, [pair[column] for pair in pairs])])
    cosines = sides[0] @ sides[1].T
    found: dict[str, Any] = {"cosines": np.diag(cosines)[:FIRST].tolist()}
    for way, one in (("x_to_y", cosines), ("y_to_x", cosines.T)):
        # A partner that others tie with, but for rounding, has the best of their ranks.
        ranks = 1 + np.sum(one > np.diag(one)[:, None] + 1e-6, axis=1)
        recalls = {f"recall at {k}": float(np.mean(ranks <= k)) for k in (1, 5, 10)}
        log = {"mean log rank": float(np.log(ranks).mean())}
        found[way] = {"summary": recalls | log, "ranks": ranks.tolist()}
    return found


def review(aligner: pathlib.Path, collection: pathlib.Path, pairs: pathlib.Path) -> dict[str, Any]:
    """A review by a person who knows every partner: screens, first candidates, recall curve."""
    import gentle_clip_jax

    partner_of = {y: x for x, y in lines_of(collection / "partners.csv")}
    asked, first = [], []

    def answers(screen):
        if screen.number > ANSWERS:
            raise StopIteration
        asked.append(screen.query)
        first.append(screen.candidates[0])
        partner = partner_of[screen.query]
        return partner if partner in screen.candidates else None

    sides = collection / "x.npz", collection / "y.npz"
    found = gentle_clip_jax.review(aligner, *sides, pairs, answers=answers, seed=SEED)
    points = [[point.pairs, point.recall] for point in found.curve]
    return {"asked": {"screens": asked}, "first": {"screens": first}, "curve": points}


def table(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def lines_of(path: pathlib.Path) -> list[tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [tuple(line) for line in csv.reader(file) if line]


def digest(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16]


def commit(code: pathlib.Path) -> str:
    git = ["git", "-C", str(code)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "gentle_clip_jax"])
    return head.stdout.strip() + ("" if changed.returncode == 0 else ", changed")


def machine() -> dict[str, Any]:
    """What rounding depends on besides the code."""
    cpus = pathlib.Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else []
    return {
        "processor": models[0] if models else platform.processor(),
        "cpus": os.cpu_count() or 1,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], bool]:
    """The table of differences, and whether a tolerance is exceeded."""
    lines = [f"old: {old['commit']}, {old['machine']}", f"new: {new['commit']}, {new['machine']}"]
    lines += ["", "| value | difference | tolerance | |", "|---|--:|--:|---|"]
    values = [dict(leaves(record["sets"])) for record in (old, new)]
    skipped = sorted(old["sets"].keys() ^ new["sets"].keys())
    equal, exceeded = 0, False
    for name in dict.fromkeys([*values[0], *values[1]]):
        if name.partition("/")[0] in skipped:
            continue
        measure, tolerance = TOLERANCES[name.rpartition("/")[2]]
        if any(name not in one for one in values):
            where = "new" if name not in values[0] else "old"
            lines.append(f"| {name} | only in {where} | | exceeded |")
            exceeded = True
            continue
        found = difference(measure, *(one[name] for one in values))
        exceeded |= found > tolerance
        if found == 0:
            equal += 1
            continue
        unit = "of entries" if measure == "changed" else "at most"
        verdict = "exceeded" if found > tolerance else "within"
        lines.append(f"| {name} | {found:.2g} {unit} | {tolerance:.2g} | {verdict} |")
    lines += ["", f"{equal} values are equal."]
    lines += [f"Only one file has {', '.join(skipped)}."] if skipped else []
    return lines, exceeded


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that TOLERANCES names, by its path."""
    for name, value in tree.items():
        if name in TOLERANCES:
            yield above + name, value
        else:
            yield from leaves(value, f"{above}{name}/")


def difference(measure: str, old: Any, new: Any) -> float:
    """The share of entries that changed, or the largest difference; infinite for other shapes."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            return float("inf")
        old, new = [*old.values()], [new[name] for name in old]
    if old == new:
        return 0.0
    if not (isinstance(old, list) and isinstance(new, list)) or len(old) != len(new):
        return float("inf")
    if measure == "changed":
        return sum(a != b for a, b in zip(old, new)) / len(old)
    a, b = (np.array(one, float) for one in (old, new))  # None becomes NaN
    if (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b)).max(initial=0.0))


if __name__ == "__main__":
    main()

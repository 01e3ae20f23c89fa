"""Runs tests/faults and writes docs/reliability.md: which faults runs survive, and at what price.

    python benchmarks/reliability.py [--report-only] [--records=FILE] [arguments of pytest]
    python benchmarks/reliability.py --inputs [REGEX]

With --inputs it runs the tests of bad input instead, of the groups that match, and counts tries.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

from published import RESULTS, ROOT, publish, read

from gentle_clip_jax.runs.log import machine

TEXT = """# Reliability

Every fault below was brought about in real processes by `tests/faults/`, which `.ci/run` runs;
this page is written by `python benchmarks/reliability.py`. "Survived" means: the same command, run
again, ends with the parameters of a run that nothing happened to, bit for bit (to 1e-5 in the
losses where the number of devices changed); or, where a person must mend something first, the run
ended with exit code 2 and one sentence that says what. "Lost" is what no later run has.

{table}

Measured on {cpus} x {processor}, shared with other work, with jax {jax}; seconds are the median
and the longest, from the start of the command until the run goes on, with Python's start and
compilation from a warm cache; for a process of several that is lost, until the others have ended.

## Bad input

{inputs}

## What tests notice

{mutants}

## What to know

- **Ending a run.** SIGTERM or Ctrl-C: the step that is being taken is finished (and a validation,
  if one is going on), a checkpoint is saved, and the exit code is 0 (130 after Ctrl-C, so that
  scripts stop). During the first compilation there is nothing to save, and the process ends at
  once. Ctrl-C twice ends without saving. The same command goes on.
- **Checkpoints.** Each step has a manifest with the key, shape, dtype and SHA-256 of every array,
  verified on the way back. A step that is unsound is named and kept as `checkpoints/N.unsound`;
  the one before it is taken. Half-written steps are never seen: a step gets its name when it is
  whole. Differences to another config are named one by one; nothing is cast.
- **Files.** Each file of a run, of features, of an aligner and of a comparison was emptied, cut,
  flipped in a bit, replaced by JSON of another shape and by random bytes, and then opened by all
  that opens it. What is damaged is named; of a run, features and a comparison it is kept as
  `NAME.unsound` and made anew or left out. A run's config and the arguments that features were
  begun with are kept twice, as without them nothing says what the rest is of. JSON files and lines
  of the log have a `check`, a SHA-256 of what they hold; one without it, as a person may write it,
  is read as it is.
- **One run in a folder.** `lock` is held by the process; the system frees it when the process
  ends, however it ends.
- **Features.** `encode` knows its files by their content: what is new or changed is embedded, what
  is gone is dropped, and with other weights, settings or another tokenizer all is done again. A
  kill at any moment loses nothing; a damaged file of features is named, kept as `NAME.unsound` and
  made again. Two commands in one folder: the second ends in a sentence.
- **Numbers that are not finite.** Such a step changes nothing. More than
  `config.train.max_skipped` (default 0) end the run, and `bad_step_N.json` and `.npz` keep the
  metrics, row numbers and batch of that step. The same `gentle-clip train` again goes on from the
  newest checkpoint and takes the very same step. `max_skipped` may be raised when the run goes on.
- **Sizes.** A file that says it is larger than a quarter of the memory, or unpacks to more, is
  refused before it is there: zip files that lie about what is in them, pictures of more than 90
  million pixels. `tests/test_fuzz.py` gives every reader damaged files, in a process with 600 MiB
  to spare.
- **Data that change.** A run that goes on with other items than it began with says which sets
  differ; what it has kept of the start is made again.
- **Items that cannot be read** in mid-run are named; the next item stands in, up to
  `config.train.max_damaged` (default 0).
- **Several processes.** All stop at the same step. If one is lost, JAX notices within 20 s, and
  the others end in one sentence; start all again, as many as you like.
"""


# Of bad input: what is tried, and the tests that do it. A test is a try, or as many as it has noted
# by record_property("tries", n).
INPUTS = {
    "losses: arguments that cannot be meant": ["tests/losses/test_arguments.py"],
    "images, of any kind of damage": ["tests/data/test_bad_images.py"],
    "texts and names of files": ["tests/data/test_bad_texts.py", "tests/data/test_ids.py"],
    "sizes, pipes and devices": ["tests/data/test_limits.py"],
    "features and pairs of one's own": ["tests/features/test_read.py", "tests/data/test_pairs.py"],
    "folders of encoders": ["tests/encoders/published/test_bad_folders.py"],
    "files damaged at random": ["tests/test_fuzz.py"],
    "options of the command line": [
        "tests/commands/test_wrong_options.py",
        "tests/commands/test_command_line.py",
    ],
    "keys of configs": ["tests/commands/test_wrong_config_values.py", "tests/tasks/test_config.py"],
    "Ctrl-C in the first second": ["tests/commands/test_ctrl_c.py"],
}


def try_inputs(pattern: str, found: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Of each group of bad input how many were tried, and how many did not end as they should."""
    for group, paths in INPUTS.items():
        if not re.search(pattern, group):
            continue
        here = [path for path in paths if (ROOT / path).exists()]
        with tempfile.TemporaryDirectory() as folder:
            xml = pathlib.Path(folder) / "tests.xml"
            options = ["-q", "-n", "0", "-m", "slow or not slow", f"--junitxml={xml}"]
            options += ["-o", "junit_family=xunit1"]  # the other has no properties of a test
            subprocess.run([sys.executable, "-m", "pytest", *options, *here], cwd=ROOT, check=False)
            cases = ElementTree.parse(xml).getroot().iter("testcase")
            done = [case for case in cases if case.find("skipped") is None]
        counts = {"tried": 0, "failed": 0}
        for case in done:
            noted = case.find("properties/property[@name='tries']")
            tries = 1 if noted is None else int(noted.get("value", "1"))
            failed = case.find("failure") is not None or case.find("error") is not None
            counts["tried"] += tries
            counts["failed"] += tries if failed else 0
        found[group] = counts
    return {group: found[group] for group in INPUTS if group in found}


def of_inputs(found: dict[str, dict[str, int]]) -> str:
    """How much bad input was tried, and what came of it."""
    if not found:
        return "`python benchmarks/reliability.py --inputs` was not run."
    rows = [[group, str(n["tried"]), str(n["failed"])] for group, n in found.items()]
    total = [str(sum(n[name] for n in found.values())) for name in ("tried", "failed")]
    lines = [["bad input", "tried", "failed"], ["---", "---:", "---:"], *rows, ["all", *total]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{INPUTS_TEXT}"


INPUTS_TEXT = """A try fails if what means nothing is accepted, if a traceback is shown, if a file
is left half-written, or if it hangs. Each value of an option or of a key is a try, and each damaged
file."""

MUTANTS = """`python benchmarks/mutants.py` makes {changes} small changes, one by one, to losses,
aligners, matches, splits, evaluation, training and checkpoints, such as a second view from the
first one's key, or test names among the classes, and runs the tests that must notice. {noticed} of
them make a test fail, as they should: [results/mutants.md](results/mutants.md), which lists the
others."""


def of_mutants(path: pathlib.Path = RESULTS / "mutants.json") -> str:
    """How many small changes of the code tests notice."""
    if not path.exists():
        return "`python benchmarks/mutants.py` was not run."
    outcomes = json.loads(path.read_text())["outcomes"]
    noticed = sum(outcome["noticed"] for outcome in outcomes.values())
    return MUTANTS.format(changes=len(outcomes), noticed=noticed)


def rows(records: list[dict]) -> list[list[str]]:
    """A row for each fault, in the order of the first record of it."""
    faults: dict[str, list[dict]] = {}
    for record in records:
        faults.setdefault(record["fault"], []).append(record)
    result = []
    for fault, found in faults.items():
        tried = sum(record["tried"] for record in found)
        survived = sum(record["tried"] for record in found if record["survived"])
        seconds = [one for record in found for one in record["seconds"] if one is not None]
        time = f"{statistics.median(seconds):.1f}, {max(seconds):.1f}" if seconds else "-"
        result.append([fault, str(tried), str(survived), found[0]["lost"], time])
    return result


def main() -> None:
    """Runs the tests, unless they were, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="run nothing; take the records, or else what is known",
    )
    parser.add_argument("--records", type=pathlib.Path, default=ROOT / "runs" / "faults.jsonl")
    parser.add_argument("--inputs", nargs="?", const="", help="try bad input instead of faults")
    args, rest = parser.parse_known_args()
    found = read("reliability")
    if args.inputs is not None:
        found["inputs"] = try_inputs(args.inputs, found.get("inputs", {}))
        publish("reliability", found)
    elif not args.report_only:
        args.records.parent.mkdir(parents=True, exist_ok=True)
        args.records.unlink(missing_ok=True)
        pytest = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow"]
        environment = os.environ | {"GENTLE_CLIP_FAULTS": str(args.records)}
        subprocess.run([*pytest, "tests/faults", *rest], cwd=ROOT, env=environment, check=False)
    if args.records.exists() and args.inputs is None:
        records = [json.loads(line) for line in args.records.read_text().splitlines()]
        found |= {"machine": machine(), "records": records}
        publish("reliability", found)
    head = ["fault", "times tried", "survived", "lost", "seconds to recover"]
    lines = [head, ["---", "---:", "---:", "---", "---:"], *rows(found["records"])]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    inputs = of_inputs(found.get("inputs", {}))
    text = TEXT.format(table=table, inputs=inputs, mutants=of_mutants(), **found["machine"])
    (ROOT / "docs" / "reliability.md").write_text(text)


if __name__ == "__main__":
    main()

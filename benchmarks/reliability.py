"""Runs tests/faults and writes docs/reliability.md: the faults that runs survive, and the cost.

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

from published import ROOT, publish, read

from gentle_clip_jax.runs.log import machine

TEXT = """# Reliability

The tests in `tests/faults/` cause every fault below in real processes; `.ci/run` runs them, and
`python benchmarks/reliability.py` writes this page. "Survived" means that the same command, run
again, ended with the same parameters as an undisturbed run, bit for bit (or to 1e-5 in the losses
if the number of devices changed). If a person must fix something first, it means that the run ended
with exit code 2 and one sentence that says what to fix. "Lost" lists what no later run has; steps
after the last checkpoint are repeated, not lost.

{table}

Measured on {cpus} x {processor}, shared with other work, with jax {jax}. Seconds are the median and
the maximum, from the start of the command until the run continues, including the start of Python
and compilation from a warm cache. If one of several processes is lost, they last until the others
have ended.

## Bad input

{inputs}

## Mutation tests

`python benchmarks/mutants.py` makes small changes, one at a time, to losses, aligners, matching,
splits, evaluation, training and checkpoints, and runs the tests that should notice. Examples: the
second view uses the first view's random key, or test names are among the classes.
[results/mutants.md](results/mutants.md) says how many tests noticed, and lists the others.

## Behaviour in detail

- **Stopping a run.** After SIGTERM or Ctrl-C a run finishes the current step (and a running
  validation), saves a checkpoint and exits with code 0 (130 after Ctrl-C, so that
  scripts stop). During the first compilation there is nothing to save, and the process ends at
  once. Ctrl-C twice ends it without saving. The same command continues the run.
- **Checkpoints.** Each step has a manifest with the key, shape, dtype and SHA-256 of every array,
  which is verified on restore. A damaged step is reported and renamed to `checkpoints/N.unsound`,
  and the previous step is used. Half-written steps are never read: a step gets its name when it is
  complete. Differences from the config are listed one by one; nothing is cast.
- **Files.** Tests emptied and truncated each file of a run, a collection, an aligner and a
  comparison, flipped a bit of it, and replaced it by JSON of another shape and by random bytes;
  then they opened it with every reader. Damaged files are reported; those of a run, a collection or
  a comparison are renamed to `NAME.unsound` and made again or left out. A run's config and the
  arguments of a collection are stored twice, because nothing else describes the remaining files.
  JSON files and log lines have a `check`, the SHA-256 of their content; files without one, such as
  files written by hand, are read unchecked.
- **One run per folder.** The process holds `lock`, which the system releases when the process
  ends, for whatever reason.
- **Features.** Killing [`encode`](features.md#encode) at any moment loses nothing. A damaged file
  of features is reported, renamed to `NAME.unsound` and made again.
- **Non-finite numbers.** A step with NaN or infinity changes nothing and is skipped. More than
  `config.train.max_skipped` such steps (default 0) end the run; `bad_step_N.json` and `.npz` keep
  the metrics, row numbers and batch. The same `gentle-clip train` command then repeats the steps
  since the newest checkpoint; if you raise `max_skipped`, it skips the bad ones.
- **Sizes.** A file that claims or unpacks to more than a quarter of the memory is refused before it
  is loaded, as are zip files with false sizes and pictures of more than 90 million pixels.
  `tests/test_fuzz.py` gives damaged files to every reader, in a process with 600 MiB to spare.
- **Changed data.** A run that continues with other items than it began with reports which sets
  differ, and recomputes its cached start.
- **Unreadable items** during a run are reported; the next item replaces each, up to
  `config.train.max_damaged` items (default 0).
- **Several processes.** All stop at the same step. If one is lost, JAX notices within 20 s, and
  the others end with one sentence; then restart all, in any number.

Next: [train encoders](train_encoders.md), or [several hosts](scale.md).
"""


# Groups of bad input and their tests. A test counts as one try, or as n tries if it calls
# record_property("tries", n).
INPUTS = {
    "losses: invalid arguments": ["tests/losses/test_arguments.py"],
    "damaged images": ["tests/data/test_bad_images.py"],
    "texts and file names": ["tests/data/test_bad_texts.py", "tests/data/test_ids.py"],
    "oversized files, pipes and devices": ["tests/data/test_limits.py"],
    "users' features and pairs": ["tests/features/test_read.py", "tests/data/test_pairs.py"],
    "folders of encoders": ["tests/encoders/published/test_bad_folders.py"],
    "randomly damaged files": ["tests/test_fuzz.py"],
    "command-line options": [
        "tests/commands/test_wrong_options.py",
        "tests/commands/test_command_line.py",
    ],
    "config keys": ["tests/commands/test_wrong_config_values.py", "tests/tasks/test_config.py"],
    "Ctrl-C in the first second": ["tests/commands/test_ctrl_c.py"],
}


def try_inputs(pattern: str, found: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the number of tries and of failures for each group of bad input."""
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
    """Return the table of bad input."""
    if not found:
        return "`python benchmarks/reliability.py --inputs` was not run."
    rows = [[group, str(n["tried"]), str(n["failed"])] for group, n in found.items()]
    total = [str(sum(n[name] for n in found.values())) for name in ("tried", "failed")]
    lines = [["bad input", "tried", "failed"], ["---", "---:", "---:"], *rows, ["all", *total]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{INPUTS_TEXT}"


INPUTS_TEXT = """A try fails if meaningless input is accepted, if a traceback is shown, if a file is
left half-written, or if the command hangs. Each value of an option or key, and each damaged file,
is one try."""


def rows(records: list[dict]) -> list[list[str]]:
    """Return a row for each fault, in the order of the first record of it."""
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
    """Run the tests, unless told not to, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="run no tests; use the records if they exist, else the stored results",
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
    text = TEXT.format(table=table, inputs=inputs, **found["machine"])
    (ROOT / "docs" / "reliability.md").write_text(text)


if __name__ == "__main__":
    main()

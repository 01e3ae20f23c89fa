"""Runs tests/faults and writes docs/reliability.md: which faults runs survive, and at what price.

python benchmarks/reliability.py [--report-only] [--records=FILE] [arguments of pytest]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from gentle_clip_jax.runs.log import machine

ROOT = pathlib.Path(__file__).resolve().parents[1]

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

## What to know

- **Ending a run.** SIGTERM or Ctrl-C: the step that is being taken is finished (and a validation,
  if one is going on), a checkpoint is saved, and the exit code is 0 (130 after Ctrl-C, so that
  scripts stop). During the first compilation there is nothing to save, and the process ends at
  once. Ctrl-C twice ends without saving. The same command goes on.
- **Checkpoints.** Each step has a manifest with the key, shape, dtype and SHA-256 of every array,
  verified on the way back. A step that is unsound is named and kept as `checkpoints/N.unsound`;
  the one before it is taken. Half-written steps are never seen: a step gets its name when it is
  whole. Differences to another config are named one by one; nothing is cast.
- **One run in a folder.** `lock` is held by the process; the system frees it when the process
  ends, however it ends.
- **Features.** `encode` knows its files by their content: what is new or changed is embedded, what
  is gone is dropped, and with other weights, settings or another tokenizer all is done again. A
  kill at any moment loses nothing; a damaged file of features is named, kept as `NAME.unsound` and
  made again. Two commands in one folder: the second ends in a sentence.
- **Numbers that are not finite.** Such a step changes nothing. More than
  `config.train.max_skipped` (default 0) end the run, and `bad_step_N.json` and `.npz` keep the
  batch: `gentle-clip replay bad_step_N.json` takes the step again from the checkpoint before it.
  `max_skipped` may be raised when the run goes on.
- **Items that cannot be read** in mid-run are named; the next item stands in, up to
  `config.train.max_damaged` (default 0).
- **Several processes.** All stop at the same step. If one is lost, JAX notices within 20 s, and
  the others end in one sentence; start all again, as many as you like.
"""


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
    parser.add_argument("--report-only", action="store_true", help="run nothing")
    parser.add_argument("--records", type=pathlib.Path, default=ROOT / "runs" / "faults.jsonl")
    args, rest = parser.parse_known_args()
    if not args.report_only:
        args.records.parent.mkdir(parents=True, exist_ok=True)
        args.records.unlink(missing_ok=True)
        pytest = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow"]
        environment = os.environ | {"GENTLE_CLIP_FAULTS": str(args.records)}
        subprocess.run([*pytest, "tests/faults", *rest], cwd=ROOT, env=environment, check=False)
    records = [json.loads(line) for line in args.records.read_text().splitlines()]
    head = ["fault", "times tried", "survived", "lost", "seconds to recover"]
    lines = [head, ["---", "---:", "---:", "---", "---:"], *rows(records)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    (ROOT / "docs" / "reliability.md").write_text(TEXT.format(table=table, **machine()))
    (ROOT / "docs" / "results" / "reliability.json").write_text(
        json.dumps({"machine": machine(), "records": records}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()

"""Commands on runs: train, evaluate, report, show."""

import argparse
from typing import Any

from gentle_clip_jax import load_config
from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    _add_train(commands)
    evaluate = options.add_command(commands, _evaluate)
    report = options.add_command(commands, _report)
    compared = "folder of another evaluated run to show beside it; may be repeated (default: none)"
    for command in (evaluate, report):
        command.option("--workdir", "DIR", "folder of the run", required=True)
        command.option("--compare", "DIR", compared, action="append", default=[])
    show = options.add_command(commands, _show)
    show.option("runs", "RUN", "folder of a run", nargs="+", type=values.path)


def _add_train(commands: Any) -> None:
    train = options.add_command(commands, _train)
    config = "name of a shipped config, such as icons, or path of a .py file"
    train.option("--config", "CONFIG", config, required=True)
    train.option("--workdir", "DIR", "folder of the run", required=True)
    address = "address of the first of several processes, or auto (default: this process alone)"
    train.option("--coordinator", "HOST:PORT", address)
    together = "number of processes that train together (default: detected on a cluster)"
    train.option("--num-processes", "N", together, type=values.whole(1, 2**20))
    rank = "number of this process, from 0 (default: detected on a cluster)"
    train.option("--process-id", "I", rank, type=values.whole(0, 2**20))


def _train(args: argparse.Namespace) -> output.Done:
    """Train encoders as a config says, or continue an interrupted run.

    Every key of the config can be set: --config.loss.sdd_weight=0 --config.seed=1.

    Example: gentle-clip train --config=icons --workdir=runs/icons --config.seed=1
    More: docs/train_encoders.md
    """
    config = load_config(args.config, args.overrides)
    from gentle_clip_jax.parallel import processes

    code = processes.meet(args.coordinator, args.num_processes, args.process_id)
    if code is not None:
        return output.Done(facts=None, code=code)
    from gentle_clip_jax import train

    state = train(config, args.workdir)
    if not processes.is_first():
        return output.Done(facts=None)
    facts = {"step": int(state.step), "skipped": int(state.skipped)}
    return output.Done(facts=facts, outputs=(args.workdir,))


def _evaluate(args: argparse.Namespace) -> output.Done:
    """Evaluate the best checkpoint of a run on its test items.

    Example: gentle-clip evaluate --workdir=runs/icons
    More: docs/train_encoders.md
    """
    from gentle_clip_jax import report
    from gentle_clip_jax.runs.folder import RunFolder
    from gentle_clip_jax.storage.stores import place
    from gentle_clip_jax.training.evaluate import evaluate

    others = report.evaluations(args.compare)
    found = evaluate(args.workdir)
    table = report.results_table({args.workdir: found, **others})
    folder = RunFolder(place(args.workdir))
    facts = {**found, "compared": others} if others else found
    return output.Done([table], facts, (str(folder.evaluation), str(folder.embeddings)))


def _report(args: argparse.Namespace) -> output.Done:
    """Write the report of a run, optionally compared with other runs.

    Example: gentle-clip report --workdir=runs/icons --compare=runs/icons_clip
    More: docs/train_encoders.md
    """
    from gentle_clip_jax.report import write_report

    return output.Done(outputs=(str(write_report(args.workdir, args.compare)),))


def _show(args: argparse.Namespace) -> output.Done:
    """Show the config and versions of a run, or the differences of two runs.

    Example: gentle-clip show runs/icons runs/icons_clip
    More: docs/train_encoders.md
    """
    from gentle_clip_jax.runs.read import differing_facts, facts

    if len(args.runs) > 2:
        raise ValueError(f"Give one run, or two to compare, not {len(args.runs)}.")
    if len(args.runs) == 1:
        found = facts(*args.runs)
        return output.Done([output.table(["", *args.runs], found.items())], {"run": found})
    found = differing_facts(*args.runs)
    table = output.table(["", *args.runs], ((name, *both) for name, both in found.items()))
    same = "The two runs differ in nothing that was recorded."
    return output.Done([table if found else same], {"differences": found})

"""Commands on runs: train, evaluate, report, show.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any

from gentle_clip_jax import load_config, progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    train = _add_train(commands)
    evaluate = commands.add_parser(
        "evaluate",
        allow_abbrev=False,
        help="evaluate the best checkpoint of a run on its test items",
    )
    evaluate.set_defaults(command=_evaluate)
    report = commands.add_parser(
        "report",
        allow_abbrev=False,
        help="write the report of a run, optionally compared with other runs",
    )
    report.set_defaults(command=_report)
    for command in (train, evaluate, report):
        output.add(command)
        command.add_argument(
            "--workdir", required=True, type=values.path, metavar="DIR", help="folder of the run"
        )
    for command in (evaluate, report):
        command.add_argument(
            "--compare",
            action="append",
            type=values.path,
            default=[],
            metavar="DIR",
            help="folder of another evaluated run to show beside it; may be repeated",
        )
    _add_show(commands)


def _add_train(commands: Any) -> argparse.ArgumentParser:
    train = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train encoders as a config says, or continue an interrupted run",
        usage="gentle-clip train --config=CONFIG --workdir=DIR [--config.KEY=VALUE ...]",
        epilog="Any key of the config can be set: --config.loss.sdd_weight=0 --config.seed=1.",
    )
    train.add_argument(
        "--config",
        required=True,
        type=values.path,
        metavar="CONFIG",
        help="name of a shipped config, such as icons, or path of a .py file",
    )
    train.add_argument(
        "--coordinator",
        type=values.address,
        metavar="HOST:PORT",
        help="address of the first of several processes, or auto",
    )
    train.add_argument(
        "--num-processes",
        type=values.whole(1, 2**20),
        metavar="K",
        help="number of processes that train together",
    )
    train.add_argument(
        "--process-id",
        type=values.whole(0, 2**20),
        metavar="I",
        help="number of this process, from 0",
    )
    train.set_defaults(command=_train)
    return train


def _add_show(commands: Any) -> None:
    show = commands.add_parser(
        "show",
        allow_abbrev=False,
        help="show the config and versions of a run, or the differences of two runs",
    )
    show.add_argument("runs", nargs="+", type=values.path, metavar="RUN", help="folder of a run")
    output.add(show)
    show.set_defaults(command=_show)


def _train(args: argparse.Namespace) -> output.Done:
    config = load_config(args.config, args.overrides)
    if "task" not in config:
        raise ValueError(f"The config {args.config} cannot be trained: it names no task.")
    from gentle_clip_jax.parallel import address

    address.check_processes(args.coordinator, args.num_processes, args.process_id)
    from gentle_clip_jax.parallel import processes

    together = address.is_asked_for(args.coordinator)
    if together and not processes.is_supervised():
        return output.Done(facts=None, code=processes.supervise())
    if together:
        processes.join(args.coordinator, args.num_processes, args.process_id)
    from gentle_clip_jax.training.loop import train

    with processes.naming_lost_processes():
        state = train(config, args.workdir)
    import jax

    if jax.process_index():  # the first says what all have done
        return output.Done(facts=None)
    facts = {"step": int(state.step), "skipped": int(state.skipped)}
    return output.Done(facts=facts, outputs=(args.workdir,))


def _evaluate(args: argparse.Namespace) -> output.Done:
    from rich.console import Console

    from gentle_clip_jax import report
    from gentle_clip_jax.runs.folder import RunFolder
    from gentle_clip_jax.storage.stores import place
    from gentle_clip_jax.training.evaluate import evaluate

    others = {workdir: _read_evaluation(workdir) for workdir in args.compare}
    with progress.working("measuring test items"):
        found = evaluate(args.workdir)
    Console().print(report.results_table({args.workdir: found, **others}))
    folder = RunFolder(place(args.workdir))
    facts = {**found, "compared": others} if others else found
    return output.Done(facts=facts, outputs=(str(folder.evaluation), str(folder.embeddings)))


def _read_evaluation(workdir: str) -> dict:
    from gentle_clip_jax.runs.read import read_run

    evaluation = read_run(workdir).evaluation
    if evaluation is None:
        raise ValueError(
            f"{workdir} has not been evaluated: run gentle-clip evaluate --workdir={workdir} first."
        )
    return evaluation


def _report(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.report import write_report

    with progress.working("drawing"):
        path = write_report(args.workdir, args.compare)
    return output.Done(outputs=(str(path),))


def _show(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.runs.differences import differences
    from gentle_clip_jax.runs.read import facts

    if len(args.runs) > 2:
        raise ValueError(f"Give one run, or two to compare, not {len(args.runs)}.")
    first, *others = map(facts, args.runs)
    if not others:
        _print_table(["", *args.runs], first.items())
        return output.Done(facts={"run": first})
    rows = differences(first, *others)
    for name in ("started", "seconds"):  # they differ from run to run by nature
        rows.pop(name, None)
    if rows:
        _print_table(["", *args.runs], ((name, *values) for name, values in rows.items()))
    else:
        print("The two runs differ in nothing that was recorded.")
    return output.Done(facts={"differences": rows})


def _print_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table of names and values, all as they are: none of them is rich markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in head:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text(v if isinstance(v, str) else json.dumps(v)) for v in row))
    Console(soft_wrap=True).print(table)

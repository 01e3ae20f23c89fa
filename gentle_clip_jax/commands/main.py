"""The command line: prepare, encode and diagnose data; train, evaluate, report on and search a run.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import gentle_clip_jax
from gentle_clip_jax.commands import features
from gentle_clip_jax.config import load_config

# What to install for a package that only some commands need.
_EXTRAS = {
    **dict.fromkeys(("grain", "PIL", "tokenizers"), "quickstart"),
    **dict.fromkeys(("safetensors", "pyarrow"), "weights"),
    "ott": "transport",
    **dict.fromkeys(("tensorflow_datasets", "array_record"), "data"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 2 for what a user can mend, 130 for Ctrl-C."""
    parser = _parser()
    args, overrides = parser.parse_known_args(argv)
    if args.command is _train or (args.command is features.run_compare and args.config):
        args.overrides = overrides
    elif overrides:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    try:
        return args.command(args) or 0
    except KeyboardInterrupt:
        return _fail("Stopped; the same command takes it up again.", code=130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "")
        if extra is None or args.traceback:
            raise
        return _fail(f"{error}: run pip install 'gentle-clip-jax[{extra}]'.")
    except (ValueError, FloatingPointError, OSError) as error:
        if args.traceback:
            raise
        return _fail(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gentle-clip",
        description="Align two modalities from a few matched pairs.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=gentle_clip_jax.__version__)
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = _add_train(commands)
    evaluate = commands.add_parser(
        "evaluate", allow_abbrev=False, help="measure a run's best checkpoint on its test items"
    )
    evaluate.set_defaults(command=_evaluate)
    report = commands.add_parser(
        "report", allow_abbrev=False, help="write a run's report.html, beside other runs if wanted"
    )
    report.set_defaults(command=_report)
    search = commands.add_parser(
        "search", allow_abbrev=False, help="name the test items whose images fit some words best"
    )
    search.add_argument("words", metavar="WORDS", help='e.g. "shopping cart"')
    search.set_defaults(command=_search)
    _add_record_commands(commands)
    features.add(commands)
    _add_data_commands(commands)
    for command in (train, evaluate, report, search):
        command.add_argument("--workdir", required=True, metavar="DIR", help="the run's folder")
    for command in (evaluate, report):
        command.add_argument(
            "--compare",
            action="append",
            default=[],
            metavar="DIR",
            help="the folder of an evaluated run to show beside it; may be repeated",
        )
    return parser


def _add_train(commands: Any) -> argparse.ArgumentParser:
    train = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train a config, or go on where its run was stopped",
        usage="gentle-clip train --config=FILE --workdir=DIR [--config.KEY=VALUE ...]",
        epilog="Any key of the config can be set: --config.loss.sdd_weight=0 --config.seed=1.",
    )
    train.add_argument("--config", required=True, metavar="FILE", help="e.g. configs/icons.py")
    train.add_argument(
        "--coordinator", metavar="HOST:PORT", help="of the first of several processes, or auto"
    )
    train.add_argument("--num-processes", type=int, metavar="K", help="how many train together")
    train.add_argument("--process-id", type=int, metavar="I", help="which this is, from 0")
    train.set_defaults(command=_train)
    return train


def _add_record_commands(commands: Any) -> None:
    show = commands.add_parser(
        "show", allow_abbrev=False, help="what a run was made of, or in what two runs differ"
    )
    show.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a run")
    show.set_defaults(command=_show)
    replay = commands.add_parser(
        "replay", allow_abbrev=False, help="take a step again whose loss was not finite"
    )
    replay.add_argument("dump", metavar="DUMP", help="bad_step_N.json in the folder of the run")
    replay.set_defaults(command=_replay)


def _add_data_commands(commands: Any) -> None:
    data = commands.add_parser("data", allow_abbrev=False, help="prepare data sets for training")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="the data sets that are known").set_defaults(command=_list)
    prepare = actions.add_parser(
        "prepare", allow_abbrev=False, help="build a data set from a folder, for random access"
    )
    prepare.add_argument("name", metavar="NAME", help="as in gentle-clip data list; e.g. folder")
    prepare.add_argument("--from", dest="source", required=True, metavar="DIR", help="its files")
    prepare.add_argument("--to", required=True, metavar="DIR", help="for prepared data sets")
    prepare.add_argument(
        "--max-skipped", type=int, default=10, metavar="N", help="so many items may be damaged"
    )
    prepare.set_defaults(command=_prepare)


def _train(args: argparse.Namespace) -> int:
    config = load_config(args.config, args.overrides)
    from gentle_clip_jax.parallel import processes

    together = processes.is_asked_for(args.coordinator)
    if together and not processes.is_attended():
        return processes.attend()
    if together:
        processes.join(args.coordinator, args.num_processes, args.process_id)
    from gentle_clip_jax.training.loop import train

    with processes.losses_told():
        train(config, args.workdir)
    return 0


def _evaluate(args: argparse.Namespace) -> None:
    from rich.console import Console

    from gentle_clip_jax import report
    from gentle_clip_jax.training.evaluate import evaluate

    others = {workdir: _read_evaluation(workdir) for workdir in args.compare}
    Console().print(report.results_table({args.workdir: evaluate(args.workdir), **others}))


def _read_evaluation(workdir: str) -> dict:
    from gentle_clip_jax.runs.read import read_run

    evaluation = read_run(workdir).evaluation
    if evaluation is None:
        raise ValueError(
            f"{workdir} has not been evaluated: run gentle-clip evaluate --workdir={workdir} first."
        )
    return evaluation


def _report(args: argparse.Namespace) -> None:
    from gentle_clip_jax.report import write_report

    print(write_report(args.workdir, args.compare))


def _search(args: argparse.Namespace) -> None:
    from gentle_clip_jax.training.evaluate import search

    print(*search(args.workdir, args.words), sep="\n")


def _show(args: argparse.Namespace) -> None:
    from gentle_clip_jax.runs.differences import show

    show(args.runs)


def _replay(args: argparse.Namespace) -> None:
    from rich.console import Console

    from gentle_clip_jax.training import replay

    Console().print(replay.table(replay.replay(args.dump)))


def _list(args: argparse.Namespace) -> None:
    from gentle_clip_jax.data.prepare import show_data_sets

    show_data_sets()


def _prepare(args: argparse.Namespace) -> None:
    from gentle_clip_jax.data.prepare import prepare

    prepare(args.name, args.source, args.to, max_skipped=args.max_skipped)


def _fail(message: str, *, code: int = 2) -> int:
    print(f"gentle-clip: {message}", file=sys.stderr, flush=True)
    from gentle_clip_jax.parallel import processes

    # Writes that Orbax left undone would only add warnings at exit.
    is_full = any(os.strerror(number) in message for number in (errno.ENOSPC, errno.EFBIG))
    if processes.is_attended() or is_full:
        processes.leave(code)
    return code

"""Commands on training: data list, data prepare, train, evaluate, report."""

import argparse
from typing import Any

from gentle_clip_jax import load_config
from gentle_clip_jax.commands import options, output, values
from gentle_clip_jax.storage.text import aligned


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    _add_data(commands)
    _add_train(commands)
    evaluate = options.add_command(commands, _evaluate, "Train encoders")
    report = options.add_command(commands, _report, "Train encoders")
    compared = "folder of another evaluated run to show beside it; may be repeated (default: none)"
    for command in (evaluate, report):
        command.option("--workdir", "DIR", "folder of the run", required=True)
        command.option("--compare", "DIR", compared, action="append", default=[])


def _add_data(commands: Any) -> None:
    purpose = "List or prepare data sets for training."
    text = options.described(f"{purpose}\n\nExample: gentle-clip data list", "Train encoders")
    data = commands.add_parser("data", help=purpose, description=text)
    actions = data.add_subparsers(metavar="ACTION", required=True)
    options.add_command(actions, _list, "Train encoders")
    prepare = options.add_command(actions, _prepare, "Train encoders")
    prepare.option("name", "NAME", "name of the data set, see gentle-clip data list; e.g. folder")
    prepare.option("--data", "DIR", "folder of its files", required=True)
    prepare.out("output folder for prepared data sets")
    skipped = "maximum number of damaged items (default: 10)"
    prepare.option("--max-skipped", "N", skipped, type=values.whole(0, 10**9), default=10)


def _add_train(commands: Any) -> None:
    train = options.add_command(commands, _train, "Train encoders")
    config = "name of a shipped config, such as icons, or path of a .py file"
    train.option("--config", "CONFIG", config, required=True)
    train.option(
        "--workdir",
        "DIR",
        "folder of the run: checkpoints, log and results; a run there goes on",
        required=True,
    )
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
    """
    from gentle_clip_jax import report
    from gentle_clip_jax.runs.folder import RunFolder
    from gentle_clip_jax.storage.stores import place
    from gentle_clip_jax.training.evaluate import evaluate

    others = report.evaluations(args.compare)
    found = evaluate(args.workdir)
    table = report.results_lines({args.workdir: found, **others})
    folder = RunFolder(place(args.workdir))
    facts = {**found, "compared": others} if others else found
    return output.Done(table, facts, (str(folder.evaluation), str(folder.embeddings)))


def _report(args: argparse.Namespace) -> output.Done:
    """Write the report of a run, optionally compared with other runs.

    Example: gentle-clip report --workdir=runs/icons --compare=runs/icons_clip
    """
    from gentle_clip_jax.report import write_report

    return output.Done(outputs=(str(write_report(args.workdir, args.compare)),))


def _list(_: argparse.Namespace) -> output.Done:
    """List the data sets that can be prepared.

    Example: gentle-clip data list
    """
    from gentle_clip_jax.data.prepare import list_data_sets, name_readers

    known = list_data_sets()
    rows = [(name, one["field"], one["title"], one["cite"]) for name, one in known.items()]
    table = aligned([("name", "field", "title", "source"), *rows])
    others = name_readers(name for name, one in known.items() if not one["trained"])
    return output.Done([*table, others], {"data_sets": known})


def _prepare(args: argparse.Namespace) -> output.Done:
    """Convert a folder into a data set with random access.

    Example: gentle-clip data prepare rsicd --data=downloads/rsicd --out=data
    """
    from gentle_clip_jax.data.prepare import prepare

    folder = prepare(args.name, args.data, args.out, max_skipped=args.max_skipped)
    return output.Done(outputs=(str(folder),))

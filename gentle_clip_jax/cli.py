"""The command line: prepare, encode and diagnose data; train, evaluate, report on and search a run.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import gentle_clip_jax
from gentle_clip_jax.config_file import load_config

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
    if args.command is _train or (args.command is _compare and args.config):
        args.overrides = overrides
    elif overrides:
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")
    try:
        args.command(args)
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
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gentle-clip",
        description="Align two modalities from a few matched pairs.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=gentle_clip_jax.__version__)
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train a config, or go on where its run was stopped",
        usage="gentle-clip train --config=FILE --workdir=DIR [--config.KEY=VALUE ...]",
        epilog="Any key of the config can be set: --config.loss.sdd_weight=0 --config.seed=1.",
    )
    train.add_argument("--config", required=True, metavar="FILE", help="e.g. configs/icons.py")
    train.set_defaults(command=_train)
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
    _add_feature_commands(commands)
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


def _add_feature_commands(commands: Any) -> None:
    encode = commands.add_parser(
        "encode", allow_abbrev=False, help="embed images or texts with a frozen encoder"
    )
    encode.add_argument("--encoder", required=True, choices=("efficientnet-lite0", "minilm"))
    encode.add_argument("--data", required=True, metavar="PATH", help="a folder, or one file")
    encode.add_argument("--out", required=True, metavar="DIR", help="a new folder for the features")
    encode.add_argument("--dtype", default="float32", choices=("float16", "float32"))
    encode.add_argument(
        "--batch-size", type=int, metavar="N", help="default: what suits the device"
    )
    encode.add_argument("--split", metavar="NAME", help="only what metadata.jsonl says is of it")
    encode.add_argument("--prompt", metavar="TEXT", help='per class, e.g. "a photo of a {label}"')
    encode.set_defaults(command=_encode)
    compare = commands.add_parser(
        "compare",
        allow_abbrev=False,
        help="which way to align fits features best: of --config, or of your own --x and --y",
        usage="gentle-clip compare (--config=FILE [--config.KEY=VALUE ...] | --x=PATH --y=PATH "
        "[--pairs=CSV]) --workdir=DIR",
    )
    compare.add_argument("--config", metavar="FILE", help="e.g. configs/compare_remote_sensing.py")
    compare.add_argument("--x", metavar="PATH", help="embeddings of one modality")
    compare.add_argument("--y", metavar="PATH", help="embeddings of the other")
    compare.add_argument("--pairs", metavar="CSV", help="matched ids; else equal ids are pairs")
    compare.add_argument("--workdir", required=True, metavar="DIR", help="for runs and results")
    compare.set_defaults(command=_compare)
    diagnose = commands.add_parser("diagnose", allow_abbrev=False, help="can unmatched data help?")
    for name in ("--x", "--y"):
        diagnose.add_argument(name, required=True, metavar="PATH", help="embeddings")
    diagnose.add_argument("--pairs", metavar="CSV", help="matched ids; else equal ids are pairs")
    diagnose.add_argument("--out", metavar="DIR", help="for diagnosis.html and diagnosis.json")
    diagnose.add_argument("--seed", type=int, default=0)
    diagnose.set_defaults(command=_diagnose)
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


def _train(args: argparse.Namespace) -> None:
    config = load_config(args.config, args.overrides)
    from gentle_clip_jax.train import train

    train(config, args.workdir)


def _evaluate(args: argparse.Namespace) -> None:
    from rich.console import Console

    from gentle_clip_jax import report
    from gentle_clip_jax.evaluate import evaluate

    others = {workdir: _read_evaluation(workdir) for workdir in args.compare}
    Console().print(report.results_table({args.workdir: evaluate(args.workdir), **others}))


def _read_evaluation(workdir: str) -> dict:
    from gentle_clip_jax.report.run_folder import read_run

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
    from gentle_clip_jax.evaluate import search

    print(*search(args.workdir, args.words), sep="\n")


def _encode(args: argparse.Namespace) -> None:
    from gentle_clip_jax.encode import encode

    names = ("data", "out", "encoder", "dtype", "batch_size", "split", "prompt")
    encode(**{name: getattr(args, name) for name in names})


def _compare(args: argparse.Namespace) -> None:
    from gentle_clip_jax import compare, report

    if not args.config and not (args.x and args.y):
        raise ValueError("Give --config=FILE, or your own embeddings as --x=PATH and --y=PATH.")
    if args.config:
        compare.compare_config(load_config(args.config, args.overrides), args.workdir)
    else:
        compare.compare_files(args.x, args.y, args.pairs, args.workdir)
    report.show_comparison(args.workdir)


def _diagnose(args: argparse.Namespace) -> None:
    from gentle_clip_jax import diagnose, report

    found = diagnose.diagnose_files(args.x, args.y, args.pairs, seed=args.seed)
    report.show_diagnosis(found, args.out)


def _list(args: argparse.Namespace) -> None:
    from gentle_clip_jax.prepare import show_data_sets

    show_data_sets()


def _prepare(args: argparse.Namespace) -> None:
    from gentle_clip_jax.prepare import prepare

    prepare(args.name, args.source, args.to, max_skipped=args.max_skipped)


def _fail(message: str, *, code: int = 2) -> int:
    print(f"gentle-clip: {message}", file=sys.stderr)
    return code

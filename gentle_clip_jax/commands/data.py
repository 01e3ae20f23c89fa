"""Commands on data sets: example, list, prepare.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    _add_example(commands)
    data = commands.add_parser("data", allow_abbrev=False, help="prepare data sets for training")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser(
        "list", allow_abbrev=False, help="list the data sets that can be prepared"
    )
    listed.set_defaults(command=_list)
    prepare = actions.add_parser(
        "prepare", allow_abbrev=False, help="convert a folder into a data set with random access"
    )
    prepare.add_argument(
        "name",
        type=values.name,
        metavar="NAME",
        help="name of the data set, see gentle-clip data list; e.g. folder",
    )
    prepare.add_argument(
        "--from",
        dest="source",
        required=True,
        type=values.path,
        metavar="DIR",
        help="folder of its files",
    )
    prepare.add_argument(
        "--to",
        required=True,
        type=values.path,
        metavar="DIR",
        help="output folder for prepared data sets",
    )
    prepare.add_argument(
        "--max-skipped",
        type=values.whole(0, 10**9),
        default=10,
        metavar="N",
        help="maximum number of damaged items",
    )
    prepare.set_defaults(command=_prepare)
    for command in (listed, prepare):
        output.add(command)


def _add_example(commands: Any) -> None:
    example = commands.add_parser(
        "example",
        allow_abbrev=False,
        help="write example data: a folder of pictures and one of texts",
    )
    values.add_out(example, "output folder for pictures/ and texts/")
    example.add_argument(
        "--number",
        type=values.whole(1, 100_000),
        default=500,
        metavar="N",
        help="number of pictures and of texts (default: 500)",
    )
    example.add_argument(
        "--icons", action="store_true", help="icons of user interfaces instead of drawings"
    )
    values.add_seed(example)
    example.add_argument(
        "--answer",
        type=values.file,
        metavar="CSV",
        help="only fill the partners into this ask.csv, made for the data in --out",
    )
    example.set_defaults(command=_example)
    output.add(example)


def _example(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.data.example import ANSWERS, fill_sheet, write_example

    if args.answer:
        filled = fill_sheet(args.out, args.answer)
        said = f"{args.answer}: {filled} partners filled in."
        return output.Done([said], {"filled": filled}, (args.answer,))
    shown = None
    if args.icons:
        from gentle_clip_jax.tasks.icons.data import pictures_and_names

        shown = pictures_and_names(args.number, seed=args.seed)
    with progress.working("drawing"):
        folder = write_example(args.out, number=args.number, seed=args.seed, shown=shown)
    written = tuple(str(folder / name) for name in ("pictures", "texts", ANSWERS))
    return output.Done([f"{args.number:,} of each."], {"number": args.number}, written)


def _list(_: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.data.prepare import show_data_sets

    return output.Done(facts={"data_sets": show_data_sets()})


def _prepare(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.data.prepare import prepare

    folder = prepare(args.name, args.source, args.to, max_skipped=args.max_skipped)
    return output.Done(outputs=(str(folder),))

"""Commands on data sets: list, prepare.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    data = commands.add_parser("data", allow_abbrev=False, help="prepare data sets for training")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    listed = actions.add_parser("list", allow_abbrev=False, help="the data sets that are known")
    listed.set_defaults(command=_list)
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


def _list(args: argparse.Namespace) -> None:
    from gentle_clip_jax.data.prepare import show_data_sets

    show_data_sets()


def _prepare(args: argparse.Namespace) -> None:
    from gentle_clip_jax.data.prepare import prepare

    prepare(args.name, args.source, args.to, max_skipped=args.max_skipped)

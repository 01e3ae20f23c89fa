"""Commands on galleries: index, search.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import sys
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    for add_one in (_add_index, _add_search):
        output.add(add_one(commands))


def _add_index(commands: Any) -> argparse.ArgumentParser:
    index = commands.add_parser(
        "index", allow_abbrev=False, help="write an index of a collection for fast searches"
    )
    values.add_aligner(index)
    _add_gallery(index, required=True)
    index.add_argument(
        "--engine",
        choices=("exact", "lance"),
        default="exact",
        help="exact (default), or lance: approximate, for more items than fit into memory",
    )
    index.set_defaults(command=_index)
    return index


def _add_gallery(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    command.add_argument(
        "--in",
        dest="gallery",
        required=required,
        type=values.path,
        metavar="PATH",
        help="collection to search: features, or a folder of features",
    )
    command.add_argument(
        "--side", choices=("x", "y"), help="modality of --in, if it cannot be detected"
    )


def _add_search(commands: Any) -> argparse.ArgumentParser:
    search = commands.add_parser(
        "search",
        allow_abbrev=False,
        help="find items by words or by a similar item",
        usage="gentle-clip search (--aligner=DIR --in=PATH | --workdir=DIR) [WORDS] [--like=ITEM] "
        "[--num=N] [--html=FILE] [--csv=FILE]",
    )
    search.add_argument(
        "words",
        nargs="?",
        metavar="WORDS",
        help='words to search for, e.g. "shopping cart"; for proteins, a sequence',
    )
    search.add_argument(
        "--aligner",
        type=values.path,
        metavar="DIR",
        help="folder of an aligner, or of a trained run",
    )
    _add_gallery(search)
    search.add_argument(
        "--workdir",
        type=values.path,
        metavar="DIR",
        help="folder of a trained run whose test items to search",
    )
    search.add_argument(
        "--like",
        type=values.name,
        metavar="ITEM",
        help="find items similar to this one: an id of --in, or a file",
    )
    search.add_argument(
        "--num",
        type=values.number,
        metavar="N",
        help="number of results (default: 20; with --workdir 5)",
    )
    search.add_argument(
        "--html",
        type=values.file,
        metavar="FILE",
        help="write the results as a web page to this file",
    )
    search.add_argument(
        "--csv", type=values.file, metavar="FILE", help="write the results as a table to this file"
    )
    search.set_defaults(command=_search)
    return search


def _index(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.searching import index_gallery
    from gentle_clip_jax.training.loading import open_aligner

    aligner = open_aligner(args.aligner)
    folder = index_gallery(aligner, args.gallery, side=args.side, engine=args.engine)
    said = f"gentle-clip search --in={args.gallery} uses it from now on."
    return output.Done([said], {}, (str(folder),))


def _search(args: argparse.Namespace) -> output.Done:
    if args.workdir:
        return _search_run(args)
    if not (args.aligner and args.gallery):
        raise ValueError("Give --aligner=DIR and --in=PATH, or --workdir=DIR of a run.")
    from gentle_clip_jax import search
    from gentle_clip_jax.searching import shown
    from gentle_clip_jax.training.loading import open_aligner

    num = 20 if args.num is None else args.num
    aligner = open_aligner(args.aligner)
    hits = search(aligner, args.gallery, args.words, like=args.like, num=num, side=args.side)
    if hits.note:
        print(f"gentle-clip: {hits.note}", file=sys.stderr)
    if args.csv:
        hits.save_csv(args.csv)
    if args.html:
        hits.save_html(args.html)
    written = tuple(path for path in (args.csv, args.html) if path)
    facts = {"hits": [hit._asdict() for hit in hits]}
    return output.Done(shown.lines(hits.hits), facts, written)


def _search_run(args: argparse.Namespace) -> output.Done:
    others = ("aligner", "gallery", "like", "side", "html", "csv")
    if args.words is None or any(getattr(args, name) for name in others):
        raise ValueError("Of --workdir=DIR, search takes words and --num alone.")
    from gentle_clip_jax.training.evaluate import search

    with progress.working("searching"):
        found = search(args.workdir, args.words, num=5 if args.num is None else args.num)
    return output.Done(found, {"hits": [*found]})

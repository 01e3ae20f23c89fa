"""Commands on aligners: ask, align, embed, index, search.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import sys
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    for add_one in (_add_ask, _add_align, _add_embed, _add_index, _add_search):
        output.add(add_one(commands))


def _add_ask(commands: Any) -> argparse.ArgumentParser:
    ask = commands.add_parser(
        "ask", allow_abbrev=False, help="which items to describe, before and between pairs"
    )
    ask.add_argument(
        "--x", required=True, type=values.path, metavar="PATH", help="embeddings to ask about"
    )
    ask.add_argument(
        "--num", type=values.number, default=12, metavar="N", help="number of items (default: 12)"
    )
    ask.add_argument(
        "--out", required=True, type=values.path, metavar="DIR", help="for ask.csv and ask.html"
    )
    ask.add_argument(
        "--pairs", type=values.path, metavar="CSV", help="pairs that are known already"
    )
    ask.add_argument(
        "--images",
        type=values.path,
        metavar="DIR",
        help="the pictures, if encode does not know them",
    )
    ask.add_argument("--seed", type=values.seed, default=0)
    ask.set_defaults(command=_ask)
    return ask


def _add_align(commands: Any) -> argparse.ArgumentParser:
    align = commands.add_parser(
        "align", allow_abbrev=False, help="fit an aligner to two sides and a few pairs, and save it"
    )
    values.add_sides(align)
    values.add_pairs(align)
    align.add_argument(
        "--out", required=True, type=values.path, metavar="DIR", help="for the aligner"
    )
    align.add_argument(
        "--method", type=values.name, default="auto", metavar="NAME", help="default: auto"
    )
    align.add_argument(
        "--names",
        choices=("encoder",),
        help="use what the classes of the images' encoder are called; then no pair is needed",
    )
    align.add_argument(
        "--plan-items",
        type=values.number,
        default=4096,
        metavar="N",
        help="unmatched items of either side that are planned (4096); more make several plans",
    )
    align.add_argument("--seed", type=values.seed, default=0)
    values.add_names(align)
    align.set_defaults(command=_align)
    return align


def _add_embed(commands: Any) -> argparse.ArgumentParser:
    embed = commands.add_parser(
        "embed", allow_abbrev=False, help="take features into the space of an aligner"
    )
    values.add_aligner(embed)
    sides = embed.add_mutually_exclusive_group(required=True)
    for name in ("x", "y"):
        sides.add_argument(
            f"--{name}", type=values.path, metavar="PATH", help=f"embeddings of {name}"
        )
    embed.add_argument(
        "--out", required=True, type=values.path, metavar="DIR", help="a folder for the rows"
    )
    embed.set_defaults(command=_embed)
    return embed


def _add_index(commands: Any) -> argparse.ArgumentParser:
    index = commands.add_parser(
        "index", allow_abbrev=False, help="keep the embedded items, so that a search opens at once"
    )
    values.add_aligner(index)
    _add_gallery(index, required=True)
    index.add_argument(
        "--engine",
        choices=("exact", "lance"),
        default="exact",
        help="exact compares all items (default); lance is approximate, and for more items than "
        "fit into memory",
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
        help="embeddings to search",
    )
    command.add_argument("--side", choices=("x", "y"), help="which side --in is of, if unclear")


def _add_search(commands: Any) -> argparse.ArgumentParser:
    search = commands.add_parser(
        "search",
        allow_abbrev=False,
        help="find items by words or by another item, with an aligner or a run",
        usage="gentle-clip search (--aligner=DIR --in=PATH | --workdir=DIR) [WORDS] [--like=ITEM] "
        "[--num=N] [--html=FILE] [--csv=FILE]",
    )
    search.add_argument(
        "words", nargs="?", metavar="WORDS", help='e.g. "shopping cart"; for proteins, a sequence'
    )
    search.add_argument(
        "--aligner", type=values.path, metavar="DIR", help="of gentle-clip align, or of a run"
    )
    _add_gallery(search)
    search.add_argument(
        "--workdir", type=values.path, metavar="DIR", help="a run, whose test items are searched"
    )
    search.add_argument("--like", type=values.name, metavar="ITEM", help="an id of --in, or a file")
    search.add_argument("--num", type=values.number, metavar="N", help="of items (20; of a run 5)")
    search.add_argument("--html", type=values.file, metavar="FILE", help="a page with the pictures")
    search.add_argument("--csv", type=values.file, metavar="FILE", help="a table")
    search.set_defaults(command=_search)
    return search


def _ask(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import ask

    with progress.working("choosing"):
        sheet = ask(args.x, args.num, args.pairs, seed=args.seed, images=args.images)
        sheet.save(args.out)
    said = f"{len(sheet.ids)} items to describe: ask.html shows them, ask.csv waits."
    files = f"{args.out}/ask.html", f"{args.out}/ask.csv"
    return output.Done([said], {"items": sheet.ids}, files)


def _align(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import align

    aligner = align(
        args.x,
        args.y,
        args.pairs,
        out=args.out,
        method=args.method,
        seed=args.seed,
        modalities=(args.x_name, args.y_name),
        classes=args.names,
        plan_items=args.plan_items,
        tell=print,
    )
    return output.Done(aligner.summary, {"about": aligner.about}, (args.out,))


def _embed(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import embed
    from gentle_clip_jax.training.loading import open_aligner

    rows = len(embed(open_aligner(args.aligner), x=args.x, y=args.y, out=args.out).ids)
    return output.Done([f"{rows:,} rows."], {"rows": rows}, (args.out,))


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

"""Commands on aligners: ask, align, embed.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    for add_one in (_add_ask, _add_align, _add_embed):
        output.add(add_one(commands))


def _add_ask(commands: Any) -> argparse.ArgumentParser:
    ask = commands.add_parser(
        "ask", allow_abbrev=False, help="choose the items whose partners are worth finding first"
    )
    ask.add_argument(
        "--x",
        required=True,
        type=values.path,
        metavar="PATH",
        help="collection to choose items from: features, or a folder of features",
    )
    ask.add_argument(
        "--num", type=values.number, default=12, metavar="N", help="number of items (default: 12)"
    )
    values.add_out(ask, "output folder for ask.csv and ask.html")
    ask.add_argument(
        "--pairs", type=values.path, metavar="CSV", help="file of the pairs that exist already"
    )
    ask.add_argument(
        "--images",
        type=values.path,
        metavar="DIR",
        help="folder of the pictures, if --x was not written by encode",
    )
    values.add_seed(ask)
    ask.set_defaults(command=_ask)
    return ask


def _add_align(commands: Any) -> argparse.ArgumentParser:
    align = commands.add_parser(
        "align", allow_abbrev=False, help="fit an aligner to two collections and a few pairs"
    )
    values.add_sides(align)
    values.add_pairs(align)
    values.add_out(align, "output folder for the aligner")
    align.add_argument(
        "--method",
        type=values.name,
        default="auto",
        metavar="NAME",
        help="method (default: auto, chosen by cross-validation)",
    )
    align.add_argument(
        "--names",
        choices=("encoder",),
        help="use the class names of the image encoder; works without any pair",
    )
    align.add_argument(
        "--plan-items",
        type=values.number,
        default=4096,
        metavar="N",
        help="number of unmatched items of each modality in transport plans (default: 4096)",
    )
    values.add_seed(align)
    values.add_names(align)
    align.set_defaults(command=_align)
    return align


def _add_embed(commands: Any) -> argparse.ArgumentParser:
    embed = commands.add_parser(
        "embed", allow_abbrev=False, help="embed items in the shared space of an aligner"
    )
    values.add_aligner(embed)
    sides = embed.add_mutually_exclusive_group(required=True)
    for name in ("x", "y"):
        sides.add_argument(
            f"--{name}",
            type=values.path,
            metavar="PATH",
            help=f"collection of {name}: features, or a folder of features",
        )
    values.add_out(embed, "output folder for the embedded rows")
    embed.set_defaults(command=_embed)
    return embed


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

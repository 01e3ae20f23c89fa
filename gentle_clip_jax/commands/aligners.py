"""Commands on aligners: ask, align, embed, index, search, export, push."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    for one in (_add_ask, _add_align, _add_embed, _add_index, _add_search, _add_export, _add_push):
        one(commands)


def _add_ask(commands: Any) -> None:
    ask = options.add_command(commands, _ask)
    ask.collection("--x", "to choose items from", required=True)
    ask.option("--num", "N", "number of items (default: 12)", default=12)
    ask.out("output folder for ask.csv and ask.html")
    ask.flag("--xlsx", "write ask.xlsx too, a workbook of text cells")
    ask.option("--pairs", "CSV", "table of the pairs that exist already (default: none)")
    ask.option("--images", "DIR", "folder of the pictures (default: those that encode read)")
    ask.seed()


def _add_align(commands: Any) -> None:
    align = options.add_command(commands, _align, statistics=True)
    align.collections()
    align.pairs()
    align.out("output folder for the aligner")
    method = "method (default: auto, chosen by cross-validation)"
    align.option("--method", "NAME", method, default="auto")
    classes = "use the class names of the image encoder, even without any pair (default: no names)"
    align.choice("--classes", ("encoder",), classes)
    planned = "number of unmatched items of each modality in transport plans (default: 4096)"
    align.option("--plan-items", "N", planned, default=4096)
    align.seed()
    align.names()


def _add_embed(commands: Any) -> None:
    embed = options.add_command(commands, _embed)
    embed.aligner()
    modalities = embed.add_mutually_exclusive_group(required=True)
    for name in "xy":
        embed.collection(f"--{name}", f"of {name}", group=modalities)
    embed.out("output folder for the embedded rows")


def _add_index(commands: Any) -> None:
    index = options.add_command(commands, _index)
    index.aligner()
    _add_gallery(index, required=True)
    engine = "exact (default), or lance: approximate, for more items than fit into memory"
    index.choice("--engine", ("exact", "lance"), engine, default="exact")


def _add_gallery(command: options.Command, *, required: bool = False) -> None:
    unless = "" if required else " (required unless --workdir)"
    command.collection("--in", "to search", unless, dest="gallery", required=required)
    command.choice("--side", ("x", "y"), "modality of --in (default: detected)")


def _add_search(commands: Any) -> None:
    search = options.add_command(commands, _search)
    words = 'words to search for, e.g. "shopping cart"; for proteins, a sequence'
    search.option("words", "WORDS", words, nargs="?")
    search.option(
        "--aligner", "DIR", "folder of an aligner, or of a trained run (required unless --workdir)"
    )
    _add_gallery(search)
    search.option(
        "--workdir", "DIR", "folder of a trained run whose test items to search (default: none)"
    )
    search.option(
        "--like", "ITEM", "item to find similar ones of: an id of --in, or a file (default: none)"
    )
    search.option("--num", "N", "number of results (default: 20; with --workdir 5)")
    search.option("--html", "FILE", "output file for a web page of the results (default: none)")
    search.option("--csv", "FILE", "output file for a table of the results (default: none)")


def _add_export(commands: Any) -> None:
    export = options.add_command(commands, _export)
    of = export.add_mutually_exclusive_group(required=True)
    export.option("--aligner", "DIR", "folder of an aligner", group=of)
    export.option("--workdir", "DIR", "folder of a trained run", group=of)
    kinds = "stablehlo: programs for JAX (default); numpy: matrices; onnx"
    export.choice("--format", ("stablehlo", "numpy", "onnx"), kinds, default="stablehlo")
    export.out("output folder")


def _add_push(commands: Any) -> None:
    push = options.add_command(commands, _push)
    push.option("repo", "ORG/NAME", "repository, which is created if it does not exist")
    push.flag("--private", "make a new repository private")
    push.option("--license", "NAME", "license of the aligner, e.g. apache-2.0 (default: none)")
    also = "further metadata of the aligner to upload, such as ids (default: none)"
    push.option("--also", "KEY,KEY", also)
    push.aligner(runs=False)


def _ask(args: argparse.Namespace) -> output.Done:
    """Choose the items whose partners are worth finding first.

    Example: gentle-clip ask --x=features/pictures --num=30 --out=ask
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax import ask

    sheet = options.call(ask, args)
    sheet.save(args.out, xlsx=args.xlsx)
    said = f"{len(sheet.ids)} items to describe: see ask.html, and fill in ask.csv."
    files = f"{args.out}/ask.html", f"{args.out}/ask.csv"
    return output.Done([said], {"items": sheet.ids}, files)


def _align(args: argparse.Namespace) -> output.Done:
    """Fit an aligner to two collections and a few pairs.

    Example: gentle-clip align --x=pictures.npy --y=texts.npy --pairs=pairs.csv --out=aligner
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax import align

    aligner = options.call(align, args, modalities=(args.x_name, args.y_name))
    return output.Done(aligner.summary, {"metadata": aligner.metadata}, (args.out,))


def _embed(args: argparse.Namespace) -> output.Done:
    """Embed items in the shared space of an aligner.

    Example: gentle-clip embed --aligner=aligner --x=features/new --out=aligned
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax import embed
    from gentle_clip_jax.training.loading import open_aligner

    rows = len(options.call(embed, args, aligner=open_aligner(args.aligner)).ids)
    return output.Done([f"{rows:,} rows."], {"rows": rows}, (args.out,))


def _index(args: argparse.Namespace) -> output.Done:
    """Write an index of a collection for fast searches.

    Example: gentle-clip index --aligner=aligner --in=features/pictures
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax.searching import index_gallery
    from gentle_clip_jax.training.loading import open_aligner

    aligner = open_aligner(args.aligner)
    folder = index_gallery(aligner, args.gallery, side=args.side, engine=args.engine)
    said = f"gentle-clip search --in={args.gallery} uses it from now on."
    return output.Done([said], {}, (str(folder),))


def _search(args: argparse.Namespace) -> output.Done:
    """Find items by words or by a similar item.

    Example: gentle-clip search --aligner=aligner --in=features/pictures "two boats at a pier"
    More: docs/choose_a_method.md
    """
    if args.workdir:
        return _search_run(args)
    if not (args.aligner and args.gallery):
        raise ValueError("Give --aligner=DIR and --in=PATH, or --workdir=DIR of a run.")
    from gentle_clip_jax import search
    from gentle_clip_jax.training.loading import open_aligner

    given = {"aligner": open_aligner(args.aligner), "collection": args.gallery}
    hits = options.call(search, args, **given, num=args.num or 20)
    if args.csv:
        hits.save_csv(args.csv)
    if args.html:
        hits.save_html(args.html)
    written = tuple(path for path in (args.csv, args.html) if path)
    facts = {"hits": [hit._asdict() for hit in hits]}
    return output.Done(hits.lines, facts, written)


def _search_run(args: argparse.Namespace) -> output.Done:
    others = ("aligner", "gallery", "like", "side", "html", "csv")
    if args.words is None or any(getattr(args, name) for name in others):
        raise ValueError("Of --workdir=DIR, search takes words and --num alone.")
    from gentle_clip_jax.training.evaluate import search

    found = search(args.workdir, args.words, num=args.num or 5)
    return output.Done(found, {"hits": [*found]})


def _export(args: argparse.Namespace) -> output.Done:
    """Convert an aligner or a trained run for programs without this package.

    Example: gentle-clip export --aligner=aligner --format=numpy --out=exported
    More: docs/share_and_export.md
    """
    from gentle_clip_jax import export, restore

    of = restore(args.workdir) if args.workdir else args.aligner
    files = export(of, args.out, format=args.format)
    return output.Done(facts={"format": args.format}, outputs=tuple(map(str, files)))


def _push(args: argparse.Namespace) -> output.Done:
    """Upload an aligner and its model card to the Hugging Face Hub.

    Example: gentle-clip push --aligner=aligner ORG/NAME --license=apache-2.0
    More: docs/share_and_export.md
    """
    from gentle_clip_jax.aligners.hub import push

    also = args.also.split(",") if args.also else ()
    url = push(args.aligner, args.repo, private=args.private, license=args.license, also=also)
    then = f'It is at {url}. Others load it by load("hf://{args.repo}").'
    return output.Done([then], {"url": url})

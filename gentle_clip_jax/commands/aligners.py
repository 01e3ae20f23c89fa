"""Commands on aligners: ask, align, embed, index, search, export, push."""

import argparse
import pathlib
from typing import Any

from gentle_clip_jax.commands import options, output
from gentle_clip_jax.storage.text import command


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    _add_ask(commands)
    _add_align(commands)
    embed = options.add_command(commands, _embed, "Choose a method")
    embed.aligner()
    modalities = embed.add_mutually_exclusive_group(required=True)
    for name in "xy":
        embed.collection(f"--{name}", f"of {name}", group=modalities)
    embed.out("output folder for features.npy (unit rows), rows.jsonl (ids) and manifest.json")
    index = options.add_command(commands, _index, "Choose a method")
    index.aligner()
    _add_gallery(index, "; the index is written beside it, as PATH.index", required=True)
    engine = "exact (default), or lance: approximate, for more items than fit into memory"
    index.choice("--engine", ("exact", "lance"), engine, default="exact")
    _add_search(commands)
    _add_export(commands)
    _add_push(commands)


def _add_ask(commands: Any) -> None:
    ask = options.add_command(commands, _ask, "Choose a method")
    ask.collection("--x", "to choose items from", required=True)
    ask.option("--num", "N", "number of items (default: 12)", default=12)
    ask.out("output folder for ask.csv and ask.html")
    ask.flag("--xlsx", "write ask.xlsx too, a workbook of text cells")
    ask.option("--pairs", "CSV", "table of the pairs that exist already (default: none)")
    ask.option("--images", "DIR", "folder of the pictures (default: those that encode read)")
    ask.seed()


def _add_align(commands: Any) -> None:
    align = options.add_command(commands, _align, "Choose a method", statistics=True)
    align.collections()
    align.pairs()
    align.out("output folder for the aligner")
    method = f"method: auto, which cross-validates, or {options.METHODS} (default: auto)"
    align.option("--method", "NAME", method, default="auto")
    classes = (
        "encoder: use the names of the 1,000 ImageNet classes that efficientnet-lite0 knows, for "
        "pictures as x and texts as y; then no pair is needed (default: no class names)"
    )
    align.choice("--classes", ("encoder",), classes)
    planned = (
        "number of unmatched items of each modality that one transport plan can use; above the "
        "default it takes time in proportion, for large collections (default: 4096)"
    )
    align.option("--plan-items", "N", planned, default=4096)
    align.seed()
    align.names()


def _add_gallery(command: options.Command, more: str, *, required: bool = False) -> None:
    command.collection("--in", "to search", more, dest="gallery", required=required)
    command.choice("--side", ("x", "y"), "modality of --in (default: detected)")


def _add_search(commands: Any) -> None:
    search = options.add_command(commands, _search, "Choose a method")
    words = 'words to search for, e.g. "shopping cart"; for proteins, a sequence'
    search.option("words", "WORDS", words, nargs="?")
    search.aligner()
    _add_gallery(search, " (default: the test items of a trained run)")
    like = "item to find similar ones of: an id of --in, or a file (default: none)"
    search.option("--like", "ITEM", like)
    search.option("--num", "N", "number of results (default: 20)", default=20)
    search.option("--html", "FILE", "output file for a web page of the results (default: none)")
    search.option("--csv", "FILE", "output file for a table of the results (default: none)")


def _add_export(commands: Any) -> None:
    export = options.add_command(commands, _export, "Share and export an aligner")
    of = export.add_mutually_exclusive_group(required=True)
    export.option("--aligner", "DIR", "folder of an aligner", group=of)
    export.option("--workdir", "DIR", "folder of a trained run", group=of)
    kinds = (
        "stablehlo: programs that need only jax (default); numpy: matrices in .npz, and a .py file "
        "that applies them, not for --workdir"
    )
    export.choice("--format", ("stablehlo", "numpy"), kinds, default="stablehlo")
    export.out("output folder for the programs or matrices, and a README.md that shows their use")


def _add_push(commands: Any) -> None:
    push = options.add_command(commands, _push, "Share and export an aligner")
    push.option("repo", "ORG/NAME", "repository, which is created if it does not exist")
    push.flag("--private", "make a new repository private")
    push.option("--license", "NAME", "license of the aligner, e.g. apache-2.0 (default: none)")
    also = "further metadata of the aligner to upload, such as ids (default: none)"
    push.option("--also", "KEY,KEY", also)
    push.aligner(runs=False)


def _ask(args: argparse.Namespace) -> output.Done:
    """Choose the items whose partners are worth finding first.

    Example: gentle-clip ask --x=features/pictures --num=30 --out=ask
    """
    from gentle_clip_jax import ask

    sheet = options.call(ask, args)
    sheet.save(args.out, xlsx=args.xlsx)
    said = f"{len(sheet.ids)} items to describe: see ask.html, and fill in ask.csv."
    files = f"{args.out}/ask.html", f"{args.out}/ask.csv"
    return output.Done([said], {"items": sheet.ids}, files)


def _align(args: argparse.Namespace) -> output.Done:
    """Fit an aligner to two collections and a few pairs.

    Begin with this: it chooses a method, says what to expect, and writes what search, match and
    review need. Ask diagnose before it, or compare after it, only if you doubt its choice.

    Example: gentle-clip align --x=pictures.npy --y=texts.npy --pairs=pairs.csv --out=aligner
    """
    from gentle_clip_jax import align
    from gentle_clip_jax.aligners.refits import LEAST_PAIRS

    aligner = options.call(align, args, modalities=(args.x_name, args.y_name))
    metadata, data = aligner.metadata, {"x": args.x, "y": args.y, "pairs": args.pairs}
    has_enough = metadata["fitted_on"]["pairs"] >= LEAST_PAIRS  # for probabilities of matches
    name, out = ("match", "matches") if has_enough else ("review", None)
    then = command(name, aligner=args.out, **data, out=out)
    if (metadata["expected"] or {}).get("above_chance") in ("no", "not yet"):
        then = ""  # the summary says what to do instead
    return output.Done(aligner.summary, {"metadata": metadata}, (args.out,), next=then)


def _embed(args: argparse.Namespace) -> output.Done:
    """Embed items in the shared space of an aligner.

    Example: gentle-clip embed --aligner=aligner --x=features/new --out=aligned
    """
    from gentle_clip_jax import embed
    from gentle_clip_jax.training.loading import open_aligner

    rows = len(options.call(embed, args, aligner=open_aligner(args.aligner)).ids)
    return output.Done([f"{rows:,} rows."], {"rows": rows}, (args.out,))


def _index(args: argparse.Namespace) -> output.Done:
    """Write an index of a collection for fast searches.

    Example: gentle-clip index --aligner=aligner --in=features/pictures
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
    """
    if not args.gallery:
        return _search_test_items(args)
    from gentle_clip_jax import search
    from gentle_clip_jax.training.loading import open_aligner

    given = {"aligner": open_aligner(args.aligner), "collection": args.gallery}
    hits = options.call(search, args, **given)
    head = "Cosine with the query (not a probability), id, and file or text:"
    if args.csv:
        hits.save_csv(args.csv)
    if args.html:
        hits.save_html(args.html)
    written = tuple(path for path in (args.csv, args.html) if path)
    facts = {"hits": [hit._asdict() for hit in hits]}
    return output.Done([head, *hits.lines], facts, written)


def _search_test_items(args: argparse.Namespace) -> output.Done:
    if (pathlib.Path(args.aligner) / "aligner.json").exists():
        raise ValueError("Give --in=PATH, the items to search: only a run has test items.")
    if args.words is None or args.like or args.side or args.html or args.csv:
        raise ValueError("Give --in=PATH: among the test items, search takes only words and --num.")
    from gentle_clip_jax.training.evaluate import search

    found = search(args.aligner, args.words, num=args.num)
    return output.Done(found, {"hits": [*found]})


def _export(args: argparse.Namespace) -> output.Done:
    """Convert an aligner or a trained run for programs without this package.

    Example: gentle-clip export --aligner=aligner --format=numpy --out=exported
    """
    from gentle_clip_jax import export, restore

    of = restore(args.workdir) if args.workdir else args.aligner
    files = export(of, args.out, format=args.format)
    return output.Done(facts={"format": args.format}, outputs=tuple(map(str, files)))


def _push(args: argparse.Namespace) -> output.Done:
    """Upload an aligner and its model card to the Hugging Face Hub.

    Example: gentle-clip push --aligner=aligner ORG/NAME --license=apache-2.0
    """
    from gentle_clip_jax.aligners.hub import push

    also = args.also.split(",") if args.also else ()
    url = push(args.aligner, args.repo, private=args.private, license=args.license, also=also)
    then = f'It is at {url}. Others load it by load("hf://{args.repo}").'
    return output.Done([then], {"url": url})

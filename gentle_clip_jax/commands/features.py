"""Commands on features of frozen encoders: encode, compare, diagnose.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
import pathlib
from typing import Any

from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    _add_encode(commands)
    _add_compare(commands)
    _add_diagnose(commands)


def _add_encode(commands: Any) -> None:
    encode = commands.add_parser(
        "encode",
        allow_abbrev=False,
        help="embed images, texts or proteins with a frozen encoder",
        usage="gentle-clip encode --encoder=NAME --data=PATH --out=DIR [--role=image|text] "
        "[--dtype=float16|float32] [--batch-size=N] [--split=NAME] [--prompt=TEXT] "
        "[--layers=NAMES] [--views=mirror|turns] [--shard=I/N | --engine=ray [--workers=N]]\n"
        "       gentle-clip encode --merge --out=DIR",
    )
    encode.add_argument(
        "--encoder",
        type=values.name,
        metavar="NAME",
        help="encoder: efficientnet-lite0, minilm, a checkpoint folder, a Hugging Face repository, "
        "or LIBRARY:NAME with timm, open_clip, transformers or sentence-transformers",
    )
    encode.add_argument(
        "--role", choices=("image", "text"), help="encoder to use of a model that has two"
    )
    encode.add_argument(
        "--data", type=values.path, metavar="PATH", help="folder or file of the items"
    )
    values.add_out(encode, "output folder for the features")
    encode.add_argument(
        "--batch-size",
        type=values.whole(1, 65_536),
        metavar="N",
        help="number of items in a batch (default: depends on the device)",
    )
    encode.add_argument(
        "--split",
        type=values.name,
        metavar="NAME",
        help="encode only the items of this split in metadata.jsonl",
    )
    encode.add_argument(
        "--prompt",
        type=values.name,
        metavar="TEXT",
        help='template of a text for each class, e.g. "a photo of a {label}"',
    )
    _add_kinds(encode)
    _add_parts(encode)
    output.add(encode)
    encode.set_defaults(command=_encode)


def _add_kinds(encode: argparse.ArgumentParser) -> None:
    """Which features of an item there are."""
    encode.add_argument(
        "--dtype",
        choices=("float16", "float32"),
        help="data type of the features (default: float32)",
    )
    encode.add_argument(
        "--layers",
        type=values.name,
        metavar="NAMES",
        help="layers to use besides the last: rich, or numbers such as 5,6; better and "
        "larger features",
    )
    encode.add_argument(
        "--views",
        choices=("mirror", "turns"),
        help="average over an image and its mirror image, or over four rotations for images "
        "without a top",
    )


def _add_parts(encode: argparse.ArgumentParser) -> None:
    parts = encode.add_mutually_exclusive_group()
    parts.add_argument(
        "--shard",
        type=values.shard,
        metavar="I/N",
        help="encode part I of N, counted from 0, if several jobs write to one --out",
    )
    parts.add_argument(
        "--merge", action="store_true", help="merge the parts in --out once all are finished"
    )
    parts.add_argument(
        "--engine", choices=("ray",), help="where to decode and embed (default: in this process)"
    )
    encode.add_argument(
        "--workers",
        type=values.whole(1, 65_536),
        metavar="N",
        help="number of embedding workers of --engine=ray (default: one for each GPU, or "
        "one on CPUs)",
    )


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        allow_abbrev=False,
        help="compare alignment methods on held-out pairs of two collections",
    )
    values.add_sides(compare)
    values.add_pairs(compare)
    values.add_names(compare)
    compare.add_argument(
        "--methods",
        type=values.name,
        metavar="NAME,NAME",
        help="methods to compare (default: one of each kind)",
    )
    compare.add_argument(
        "--seeds",
        type=values.whole(1, 1000),
        metavar="N",
        help="number of random splits of the pairs (default: 5)",
    )
    compare.add_argument(
        "--fast", action="store_true", help="compare only closed-form methods, which take seconds"
    )
    compare.add_argument(
        "--workdir",
        required=True,
        type=values.path,
        metavar="DIR",
        help="folder for runs and results",
    )
    output.add(compare)
    compare.set_defaults(command=_compare)


def _add_diagnose(commands: Any) -> None:
    diagnose = commands.add_parser(
        "diagnose",
        allow_abbrev=False,
        help="test whether unmatched items can help to align two collections",
    )
    values.add_sides(diagnose)
    values.add_pairs(diagnose)
    values.add_names(diagnose)
    diagnose.add_argument(
        "--out",
        type=values.path,
        metavar="DIR",
        help="output folder for diagnosis.html and diagnosis.json",
    )
    values.add_seed(diagnose)
    output.add(diagnose)
    diagnose.set_defaults(command=_diagnose)


def _encode(args: argparse.Namespace) -> output.Done:
    names = ("encoder", "role", "data", "split", "prompt", "dtype", "layers", "views")
    arguments = {name: getattr(args, name) for name in names}
    if args.merge:
        from gentle_clip_jax.features.shards import merge

        return output.Done(facts=merge(args.out, arguments), outputs=(args.out,))
    if not (args.encoder and args.data):
        raise ValueError("Give --encoder=NAME and --data=PATH, or --merge after --shard.")
    from gentle_clip_jax import encode

    arguments["dtype"] = args.dtype or "float32"
    made = encode(
        out=args.out,
        batch_size=args.batch_size,
        shard=args.shard,
        engine=args.engine,
        workers=args.workers,
        **arguments,
    )
    return output.Done(facts=made.manifest, outputs=(args.out,))


def _compare(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import comparing, report

    modalities = modalities_of(args, stem_of(args.x), stem_of(args.y))
    results = comparing.compare(
        args.x,
        args.y,
        args.pairs,
        args.workdir,
        methods=args.methods.split(",") if args.methods else None,
        seeds=5 if args.seeds is None else args.seeds,
        fast=args.fast,
    )
    report.show_comparison(args.workdir, modalities)
    folder = pathlib.Path(args.workdir)
    files = folder / "results.json", *sorted(folder.glob("comparison.[!j]*"))
    return output.Done(facts=results, outputs=tuple(map(str, files)))


def _diagnose(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import diagnose, read, report

    modalities = modalities_of(args, stem_of(args.x), stem_of(args.y))
    found = diagnose(args.x, args.y, args.pairs, seed=args.seed)
    found = {**found, "modalities": [*modalities]}
    strange = report.suspects(found) if args.out else ()
    cards = {
        side: read(path).previews([one[side] for one in strange]) if strange else {}
        for side, path in (("x", args.x), ("y", args.y))
    }
    report.show_diagnosis(found, args.out, cards)
    names = ("diagnosis.html", "diagnosis.json") if args.out else ()
    return output.Done(facts=found, outputs=tuple(f"{args.out}/{name}" for name in names))


def stem_of(path: str) -> str:
    """What a folder or file of embeddings is called, without an ending."""
    full = pathlib.Path(path).resolve()
    return full.name if full.is_dir() else full.stem


def modalities_of(args: argparse.Namespace, x: str, y: str) -> tuple[str, str]:
    """The names asked for, or those of the files if these differ and are short, or x and y."""
    if x == y or not x or not y or max(len(x), len(y)) > values.MOST_LETTERS:
        x, y = "x", "y"
    x, y = (
        name.encode("utf-8", "replace").decode() for name in (args.x_name or x, args.y_name or y)
    )
    if x == y:
        raise ValueError(f"Both modalities are called {x}: give another --x-name or --y-name.")
    return x, y

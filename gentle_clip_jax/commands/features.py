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
        help="efficientnet-lite0, minilm, a checkpoint's folder, or a Hugging Face repo",
    )
    encode.add_argument("--role", choices=("image", "text"), help="of an encoder with two towers")
    encode.add_argument("--data", type=values.path, metavar="PATH", help="a folder, or one file")
    encode.add_argument(
        "--out",
        required=True,
        type=values.path,
        metavar="DIR",
        help="a new folder for the features",
    )
    encode.add_argument(
        "--batch-size",
        type=values.whole(1, 65_536),
        metavar="N",
        help="default: what suits the device",
    )
    encode.add_argument(
        "--split", type=values.name, metavar="NAME", help="only what metadata.jsonl says is of it"
    )
    encode.add_argument(
        "--prompt", type=values.name, metavar="TEXT", help='per class, e.g. "a photo of a {label}"'
    )
    _add_kinds(encode)
    _add_parts(encode)
    output.add(encode)
    encode.set_defaults(command=_encode)


def _add_kinds(encode: argparse.ArgumentParser) -> None:
    """Which features of an item there are."""
    encode.add_argument("--dtype", choices=("float16", "float32"), help="default: float32")
    encode.add_argument(
        "--layers",
        type=values.name,
        metavar="NAMES",
        help="more than the last layer: rich, or numbers as in 5,6; better, larger features",
    )
    encode.add_argument(
        "--views",
        choices=("mirror", "turns"),
        help="mean over an image and its mirror image; or, where it has no top, over four turns",
    )


def _add_parts(encode: argparse.ArgumentParser) -> None:
    parts = encode.add_mutually_exclusive_group()
    parts.add_argument(
        "--shard",
        type=values.shard,
        metavar="I/N",
        help="only part I of N, from 0: of jobs that share --out, each with an I of its own",
    )
    parts.add_argument(
        "--merge", action="store_true", help="put the parts in --out together, when all are there"
    )
    parts.add_argument(
        "--engine", choices=("ray",), help="what decodes and embeds; default: this process"
    )
    encode.add_argument(
        "--workers",
        type=values.whole(1, 65_536),
        metavar="N",
        help="of --engine=ray: how many embed; default: one for each GPU, or one on CPUs",
    )


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        allow_abbrev=False,
        help="which way to align fits two collections best",
    )
    values.add_sides(compare)
    values.add_pairs(compare)
    values.add_names(compare)
    compare.add_argument(
        "--methods", type=values.name, metavar="NAME,NAME", help="default: one of each kind"
    )
    compare.add_argument(
        "--seeds",
        type=values.whole(1, 1000),
        metavar="N",
        help="how many splits of --pairs are tried (5)",
    )
    compare.add_argument("--fast", action="store_true", help="closed forms alone: seconds a run")
    compare.add_argument(
        "--workdir", required=True, type=values.path, metavar="DIR", help="for runs and results"
    )
    output.add(compare)
    compare.set_defaults(command=_compare)


def _add_diagnose(commands: Any) -> None:
    diagnose = commands.add_parser("diagnose", allow_abbrev=False, help="can unmatched data help?")
    values.add_sides(diagnose)
    values.add_pairs(diagnose)
    values.add_names(diagnose)
    diagnose.add_argument(
        "--out", type=values.path, metavar="DIR", help="for diagnosis.html and diagnosis.json"
    )
    diagnose.add_argument("--seed", type=values.seed, default=0)
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

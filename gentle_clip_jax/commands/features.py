"""Commands on features of frozen encoders: encode, compare, diagnose."""

import argparse
import pathlib
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    _add_encode(commands)
    _add_compare(commands)
    _add_diagnose(commands)


def _add_encode(commands: Any) -> None:
    encode = options.add_command(commands, _encode)
    number = values.whole(1, 65_536)
    encode.option(
        "--encoder",
        "NAME",
        "encoder: efficientnet-lite0, minilm, a checkpoint folder, a Hugging Face repository, or "
        "LIBRARY:NAME with timm, open_clip, transformers or sentence-transformers",
    )
    encode.choice("--role", ("image", "text"), "encoder to use of a model that has two")
    encode.option("--data", "PATH", "folder or file of the items")
    encode.out("output folder for the features")
    size = "number of items in a batch (default: depends on the device)"
    encode.option("--batch-size", "N", size, type=number)
    encode.option("--split", "NAME", "encode only the items of this split in metadata.jsonl")
    prompt = 'template of a text for each class, e.g. "a photo of a {label}"'
    encode.option("--prompt", "TEXT", prompt)
    precision = "data type of the features (default: float32)"
    encode.choice("--dtype", ("float16", "float32"), precision)
    layers = "layers besides the last: rich, or numbers such as 5,6; better and larger features"
    encode.option("--layers", "NAME", layers)
    views = "average over an image and its mirror image, or four turns of an image without a top"
    encode.choice("--views", ("mirror", "turns"), views)
    parts = encode.add_mutually_exclusive_group()
    shard = "encode part I of N, counted from 0, if several jobs write to one --out"
    encode.option("--shard", "I/N", shard, group=parts)
    encode.flag("--merge", "merge the parts in --out once all are finished", group=parts)
    engine = "where to decode and embed (default: in this process)"
    encode.choice("--engine", ("ray",), engine, group=parts)
    workers = "number of embedding workers of --engine=ray (default: one per GPU, or one on CPUs)"
    encode.option("--workers", "N", workers, type=number)


def _add_compare(commands: Any) -> None:
    compare = options.add_command(commands, _compare)
    compare.collections()
    compare.pairs()
    compare.names()
    compare.option("--methods", "NAME,NAME", "methods to compare (default: one of each kind)")
    splits = "number of random splits of the pairs (default: 5)"
    compare.option("--seeds", "N", splits, type=values.whole(1, 1000), default=5)
    compare.flag("--fast", "compare only closed-form methods, which take seconds")
    compare.option("--workdir", "DIR", "folder for runs and results", required=True)


def _add_diagnose(commands: Any) -> None:
    diagnose = options.add_command(commands, _diagnose)
    diagnose.collections()
    diagnose.pairs()
    diagnose.names()
    diagnose.option("--out", "DIR", "output folder for diagnosis.html and diagnosis.json")
    diagnose.seed()


def _encode(args: argparse.Namespace) -> output.Done:
    """Embed images, texts or protein sequences with a frozen encoder.

    Example: gentle-clip encode --encoder=efficientnet-lite0 --data=pictures --out=features/pictures
    More: docs/features.md
    """
    names = ("encoder", "role", "data", "split", "prompt", "dtype", "layers", "views")
    arguments = {name: getattr(args, name) for name in names}
    if args.merge:
        from gentle_clip_jax.features.shards import merge

        manifest = merge(args.out, arguments)
    elif args.encoder and args.data:
        from gentle_clip_jax import encode

        arguments["dtype"] = args.dtype or "float32"
        for name in ("out", "batch_size", "shard", "engine", "workers"):
            arguments[name] = getattr(args, name)
        manifest = encode(**arguments).manifest
    else:
        raise ValueError("Give --encoder=NAME and --data=PATH, or --merge after --shard.")
    return output.Done([f"{manifest['num_rows']:,} rows."], manifest, (args.out,))


def _compare(args: argparse.Namespace) -> output.Done:
    """Compare methods of alignment on held-out pairs of two collections.

    Example: gentle-clip compare --x=pictures.npy --y=texts.npy --pairs=pairs.csv --workdir=compare
    More: docs/compare.md
    """
    from gentle_clip_jax import comparing, report

    modalities = modalities_of(args, stem_of(args.x), stem_of(args.y))
    results = comparing.compare(
        args.x,
        args.y,
        args.pairs,
        args.workdir,
        methods=args.methods.split(",") if args.methods else None,
        seeds=args.seeds,
        fast=args.fast,
    )
    report.show_comparison(args.workdir, modalities)
    folder = pathlib.Path(args.workdir)
    files = folder / "results.json", *sorted(folder.glob("comparison.[!j]*"))
    return output.Done(facts=results, outputs=tuple(map(str, files)))


def _diagnose(args: argparse.Namespace) -> output.Done:
    """Test whether unmatched items can help to align two collections.

    Example: gentle-clip diagnose --x=pictures.npy --y=texts.npy --pairs=pairs.csv --out=diagnosis
    More: docs/diagnose.md
    """
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

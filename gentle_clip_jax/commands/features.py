"""Commands on features of frozen encoders: encode, compare, diagnose."""

import argparse
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
        "LIBRARY:NAME with timm, open_clip, transformers or sentence-transformers (required unless "
        "--merge)",
    )
    encode.choice(
        "--role",
        ("image", "text"),
        "encoder to use of a model that has two (default: the only one)",
    )
    encode.option("--data", "PATH", "folder or file of the items (required unless --merge)")
    encode.out("output folder for the features")
    size = "number of items in a batch (default: depends on the device)"
    encode.option("--batch-size", "N", size, type=number)
    encode.option("--split", "NAME", "split in metadata.jsonl to encode (default: all items)")
    column = "name of the column of texts in a table (default: captions, text or caption)"
    encode.option("--text-column", "NAME", column)
    column = "name of the column of ids in a table (default: id, or else row numbers from 0)"
    encode.option("--id-column", "NAME", column)
    prompt = 'text for each class, e.g. "a photo of a {label}" (default: the texts of the items)'
    encode.option("--prompt", "TEXT", prompt)
    precision = "data type of the features (default: float32)"
    encode.choice("--dtype", ("float16", "float32"), precision)
    layers = "layers to use: rich (a tested choice), or numbers, such as 5,6 (default: the last)"
    encode.option("--layers", "NAME", layers)
    views = (
        "average over an image and its mirror image, or four turns of an image without a top "
        "(default: the image alone)"
    )
    encode.choice("--views", ("mirror", "turns"), views)
    parts = encode.add_mutually_exclusive_group()
    shard = "part to encode, I from 0 to N-1, if several jobs write to one --out (default: all)"
    encode.option("--shard", "I/N", shard, group=parts)
    encode.flag("--merge", "merge the parts in --out once all are finished", group=parts)


def _add_compare(commands: Any) -> None:
    compare = options.add_command(commands, _compare, statistics=True)
    compare.collections()
    _add_aligner(compare)
    compare.names()
    methods = "methods to compare (default: the closed forms of align, and one of each other kind)"
    compare.option("--methods", "NAME,NAME", methods)
    compare.flag("--fast", "compare only closed-form methods, which take seconds")
    compare.option("--workdir", "DIR", "output folder for the page and the figures", required=True)
    compare.seed()


def _add_diagnose(commands: Any) -> None:
    diagnose = options.add_command(commands, _diagnose, statistics=True)
    diagnose.collections()
    _add_aligner(diagnose)
    diagnose.names()
    diagnose.option(
        "--out", "DIR", "output folder for diagnosis.html and diagnosis.json (default: none)"
    )
    diagnose.seed()


def _add_aligner(command: options.Command) -> None:
    """Add --pairs, and --aligner, which remembers pairs and what they showed when held out."""
    command.pairs("the pairs of --aligner, or else equal ids")
    help = (
        "folder of a fitted aligner, whose verdict is used if it was fitted to these pairs "
        "(default: none)"
    )
    command.option("--aligner", "DIR", help)


def _encode(args: argparse.Namespace) -> output.Done:
    """Embed images, texts or protein sequences with a frozen encoder.

    Example: gentle-clip encode --encoder=efficientnet-lite0 --data=pictures --out=features/pictures
    More: docs/features.md
    """
    if args.merge:
        from gentle_clip_jax.features.shards import merge

        names = ("encoder", "role", "data", "split", "prompt", "dtype", "layers", "views")
        names += ("text_column", "id_column")
        manifest = merge(args.out, {name: getattr(args, name) for name in names})
    elif args.encoder and args.data:
        from gentle_clip_jax import encode

        manifest = options.call(encode, args, dtype=args.dtype or "float32").manifest
    else:
        raise ValueError("Give --encoder=NAME and --data=PATH, or --merge after --shard.")
    return output.Done([f"{manifest['num_rows']:,} rows."], manifest, (args.out,))


def _compare(args: argparse.Namespace) -> output.Done:
    """Compare methods of alignment on held-out pairs of two collections.

    Example: gentle-clip compare --x=pictures.npy --y=texts.npy --pairs=pairs.csv --workdir=compare
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax import compare

    methods = args.methods.split(",") if args.methods else None
    modalities = args.x_name, args.y_name
    comparison = options.call(compare, args, methods=methods, modalities=modalities)
    files = tuple(f"{args.workdir}/comparison.{kind}" for kind in ("html", "json"))
    facts = comparison.metadata
    return output.Done(comparison.summary, facts, files, statistics=comparison.lines)


def _diagnose(args: argparse.Namespace) -> output.Done:
    """Test whether unmatched items can help to align two collections.

    Example: gentle-clip diagnose --x=pictures.npy --y=texts.npy --pairs=pairs.csv --out=diagnosis
    More: docs/choose_a_method.md
    """
    from gentle_clip_jax import diagnose

    diagnosis = options.call(diagnose, args, modalities=(args.x_name, args.y_name))
    files = ()
    if args.out:
        diagnosis.save(args.out)
        files = tuple(f"{args.out}/diagnosis.{kind}" for kind in ("html", "json"))
    facts = diagnosis.metadata
    return output.Done(diagnosis.summary, facts, files, statistics=diagnosis.lines)

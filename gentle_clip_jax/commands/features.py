"""Commands on features of frozen encoders: encode, compare, diagnose."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output, values


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    for one in (_add_encode, _add_compare, _add_diagnose):
        one(commands)


def _add_encode(commands: Any) -> None:
    encode = options.add_command(commands, _encode, "From two folders to features")
    encoder = (
        "encoder: efficientnet-lite0 (pictures), minilm (English texts), a checkpoint folder, a "
        "Hugging Face repository, or LIBRARY:NAME with timm, open_clip, transformers or "
        "sentence-transformers (required unless --merge)"
    )
    encode.option("--encoder", "NAME", encoder)
    role = "part of the model to use, if it has an encoder of either (default: the only one)"
    encode.choice("--role", ("image", "text"), role)
    data = (
        "items. Pictures: a folder of .jpg, .png, .webp, .tif, .gif, .bmp, .zip or .parquet files; "
        "texts: a folder of .txt files, a .txt file with a text on each line, or a table: .csv or "
        ".tsv (comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252), .xlsx, .jsonl; proteins: a "
        "FASTA file, which may end in .gz (required unless --merge)"
    )
    encode.option("--data", "PATH", data)
    encode.out("output folder for the features")
    size = "number of items encoded at once; fewer take less memory (default: 64, or 2 on a CPU)"
    encode.option("--batch-size", "N", size, type=values.whole(1, 65_536))
    encode.option("--split", "NAME", "split in metadata.jsonl to encode (default: all items)")
    column = "name of the column of texts in a table (default: captions, text or caption)"
    encode.option("--text-column", "NAME", column)
    column = "name of the column of ids in a table (default: id, or else row numbers from 0)"
    encode.option("--id-column", "NAME", column)
    prompt = 'text for each class, e.g. "a photo of a {label}" (default: the texts of the items)'
    encode.option("--prompt", "TEXT", prompt)
    precision = "data type of the features (default: float32)"
    encode.choice("--dtype", ("float16", "float32"), precision)
    layers = (
        "layers whose outputs are joined: rich, those that did best in tests (efficientnet-lite0, "
        "minilm), or numbers of blocks of an encoder of texts, such as 5,6 (default: the last)"
    )
    encode.option("--layers", "NAME", layers)
    views = "average over an image and its mirror image, or its four turns (default: no average)"
    encode.choice("--views", ("mirror", "turns"), views)
    parts = encode.add_mutually_exclusive_group()
    shard = "part to encode, I from 0 to N-1, if several jobs write to one --out (default: all)"
    encode.option("--shard", "I/N", shard, group=parts)
    encode.flag("--merge", "merge the parts in --out once all are finished", group=parts)


def _add_compare(commands: Any) -> None:
    compare = options.add_command(commands, _compare, "Choose a method", statistics=True)
    compare.collections()
    _add_aligner(compare)
    compare.names()
    methods = f"methods: {options.METHODS} "
    methods += "(default: those that align chooses among, procrustes and transported_cca)"
    compare.option("--methods", "NAME,NAME", methods)
    compare.flag("--fast", "leave out procrustes and transported_cca, which take longer")
    workdir = "output folder for the page, and for figures from which the same command continues"
    compare.option("--workdir", "DIR", workdir, required=True)
    compare.seed()


def _add_diagnose(commands: Any) -> None:
    diagnose = options.add_command(commands, _diagnose, "Choose a method", statistics=True)
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
    """
    from gentle_clip_jax.features.encode import after_encode

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
    said, then = f"{manifest['num_rows']:,} rows.", after_encode(args.out, manifest, args.shard)
    return output.Done([said], manifest, (args.out,), next=then)


def _compare(args: argparse.Namespace) -> output.Done:
    """Compare methods of alignment on held-out pairs of two collections.

    Use it to see how much the choice of a method matters: align chooses one by itself. It writes
    a page and no aligner.

    Example: gentle-clip compare --x=pictures.npy --y=texts.npy --pairs=pairs.csv --workdir=compare
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

    Use it to see why they help or not: it tests how alike both sets are. Its verdict is that of
    align wherever pairs can be held out. It writes a page and no aligner.

    Example: gentle-clip diagnose --x=pictures.npy --y=texts.npy --pairs=pairs.csv --out=diagnosis
    """
    from gentle_clip_jax import diagnose

    diagnosis = options.call(diagnose, args, modalities=(args.x_name, args.y_name))
    files = ()
    if args.out:
        diagnosis.save(args.out)
        files = tuple(f"{args.out}/diagnosis.{kind}" for kind in ("html", "json"))
    facts = diagnosis.metadata
    return output.Done(diagnosis.summary, facts, files, statistics=diagnosis.lines)

"""Commands on features of frozen encoders: encode, compare, diagnose.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax.config import load_config


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    encode = commands.add_parser(
        "encode", allow_abbrev=False, help="embed images, texts or proteins with a frozen encoder"
    )
    encode.add_argument(
        "--encoder",
        required=True,
        metavar="NAME",
        help="efficientnet-lite0, minilm, a checkpoint's folder, or a Hugging Face repo",
    )
    encode.add_argument("--role", choices=("image", "text"), help="of an encoder with two towers")
    encode.add_argument("--data", required=True, metavar="PATH", help="a folder, or one file")
    encode.add_argument("--out", required=True, metavar="DIR", help="a new folder for the features")
    encode.add_argument("--dtype", default="float32", choices=("float16", "float32"))
    encode.add_argument(
        "--batch-size", type=int, metavar="N", help="default: what suits the device"
    )
    encode.add_argument("--split", metavar="NAME", help="only what metadata.jsonl says is of it")
    encode.add_argument("--prompt", metavar="TEXT", help='per class, e.g. "a photo of a {label}"')
    encode.set_defaults(command=_encode)
    compare = commands.add_parser(
        "compare",
        allow_abbrev=False,
        help="which way to align fits features best: of --config, or of your own --x and --y",
        usage="gentle-clip compare (--config=FILE [--config.KEY=VALUE ...] | --x=PATH --y=PATH "
        "[--pairs=CSV]) --workdir=DIR",
    )
    compare.add_argument("--config", metavar="FILE", help="e.g. configs/compare_remote_sensing.py")
    compare.add_argument("--x", metavar="PATH", help="embeddings of one modality")
    compare.add_argument("--y", metavar="PATH", help="embeddings of the other")
    compare.add_argument("--pairs", metavar="CSV", help="matched ids; else equal ids are pairs")
    compare.add_argument("--workdir", required=True, metavar="DIR", help="for runs and results")
    compare.set_defaults(command=run_compare)
    diagnose = commands.add_parser("diagnose", allow_abbrev=False, help="can unmatched data help?")
    for name in ("--x", "--y"):
        diagnose.add_argument(name, required=True, metavar="PATH", help="embeddings")
    diagnose.add_argument("--pairs", metavar="CSV", help="matched ids; else equal ids are pairs")
    diagnose.add_argument("--out", metavar="DIR", help="for diagnosis.html and diagnosis.json")
    diagnose.add_argument("--seed", type=int, default=0)
    diagnose.set_defaults(command=_diagnose)


def _encode(args: argparse.Namespace) -> None:
    from gentle_clip_jax.features.encode import encode

    names = ("data", "out", "encoder", "role", "dtype", "batch_size", "split", "prompt")
    encode(**{name: getattr(args, name) for name in names})


def run_compare(args: argparse.Namespace) -> None:
    """Compares what a config names, or one's own embeddings."""
    from gentle_clip_jax import compare, report

    if not args.config and not (args.x and args.y):
        raise ValueError("Give --config=FILE, or your own embeddings as --x=PATH and --y=PATH.")
    if args.config:
        compare.compare_config(load_config(args.config, args.overrides), args.workdir)
    else:
        compare.compare_files(args.x, args.y, args.pairs, args.workdir)
    report.show_comparison(args.workdir)


def _diagnose(args: argparse.Namespace) -> None:
    from gentle_clip_jax import diagnose, report

    found = diagnose.diagnose_files(args.x, args.y, args.pairs, seed=args.seed)
    report.show_diagnosis(found, args.out)

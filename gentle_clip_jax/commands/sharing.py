"""Commands that hand on what was made: export, push.

Heavy imports wait inside the commands, so that --help does not.
"""

import argparse
from typing import Any

from gentle_clip_jax import progress
from gentle_clip_jax.commands import output, values


def add(commands: Any) -> None:
    """Adds the commands to a parser's."""
    export = commands.add_parser(
        "export",
        allow_abbrev=False,
        help="convert an aligner or a trained run for programs without this package",
    )
    of = export.add_mutually_exclusive_group(required=True)
    of.add_argument("--aligner", type=values.path, metavar="DIR", help="folder of an aligner")
    of.add_argument("--workdir", type=values.path, metavar="DIR", help="folder of a trained run")
    export.add_argument(
        "--format",
        choices=("stablehlo", "numpy", "onnx"),
        default="stablehlo",
        help="stablehlo: programs for JAX (default); numpy: matrices; onnx",
    )
    values.add_out(export, "output folder")
    export.set_defaults(command=_export)
    push = commands.add_parser(
        "push",
        allow_abbrev=False,
        help="upload an aligner and its model card to the Hugging Face Hub",
    )
    push.add_argument(
        "repo",
        type=values.name,
        metavar="ORG/NAME",
        help="repository, which is created if it does not exist",
    )
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument(
        "--license",
        type=values.name,
        metavar="NAME",
        help="licence of the aligner, e.g. apache-2.0",
    )
    push.add_argument(
        "--also",
        type=values.name,
        metavar="KEY,KEY",
        help="further metadata of the aligner to upload, such as ids",
    )
    push.set_defaults(command=_push)
    values.add_aligner(push, runs=False)
    for command in (export, push):
        output.add(command)


def _export(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax import export, restore

    with progress.working("compiling"):
        of = restore(args.workdir) if args.workdir else args.aligner
        files = export(of, args.out, format=args.format)
    return output.Done(facts={"format": args.format}, outputs=tuple(map(str, files)))


def _push(args: argparse.Namespace) -> output.Done:
    from gentle_clip_jax.aligners.hub import push

    also = args.also.split(",") if args.also else ()
    url = push(args.aligner, args.repo, private=args.private, license=args.license, also=also)
    then = f'It is at {url}. Others load it by load("hf://{args.repo}").'
    return output.Done([then], {"url": url})

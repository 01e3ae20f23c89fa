"""Commands that hand on what was made: export, push."""

import argparse
from typing import Any

from gentle_clip_jax.commands import options, output


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    export = options.add_command(commands, _export)
    of = export.add_mutually_exclusive_group(required=True)
    export.option("--aligner", "DIR", "folder of an aligner", group=of)
    export.option("--workdir", "DIR", "folder of a trained run", group=of)
    kinds = "stablehlo: programs for JAX (default); numpy: matrices; onnx"
    export.choice("--format", ("stablehlo", "numpy", "onnx"), kinds, default="stablehlo")
    export.out("output folder")
    push = options.add_command(commands, _push)
    push.option("repo", "ORG/NAME", "repository, which is created if it does not exist")
    push.flag("--private", "make a new repository private")
    push.option("--license", "NAME", "license of the aligner, e.g. apache-2.0 (default: none)")
    also = "further metadata of the aligner to upload, such as ids (default: none)"
    push.option("--also", "KEY,KEY", also)
    push.aligner(runs=False)


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

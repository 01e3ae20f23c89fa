"""Every comparison on frozen features that docs/results shows.

    python benchmarks/frozen.py --features=features --rich-turns=rich_turns
        --rich-mirror=rich_mirror [--workdir=runs/frozen] [--only REGEX]

features/SET/{images,captions,classes} are folders of gentle-clip encode, see docs/features.md, and
benchmarks/class_names.py has written features/encoder_classes.npz. In rich_turns/ there is the same
by --layers=rich and, of images, --views=turns, in rich_mirror/ by --layers=rich and --views=mirror.
Each run is kept; the command goes on with what is missing, and --only=^$ writes the results anew
alone.
"""

import argparse
import json
import pathlib
import re

from published import RESULTS, ROOT, publish

from gentle_clip_jax.comparing import compare_config
from gentle_clip_jax.config import load_config
from gentle_clip_jax.storage.records import unchecked

FORMS = "('cca','cca+drawn','procrustes','ridge','relative','transported_cca','gentle_transport',"
FORMS += "'gentle_transport+drawn','named_transport','named_transport+drawn')"
DRAWN = "('cca','cca+drawn','clip','clip+drawn','gentle_clip','gentle_clip+drawn',"
DRAWN += "'gentle_transport','gentle_transport+drawn','named_transport','named_transport+drawn')"
CLOSED = "('cca','transported_cca','gentle_transport')"
HEADS = "('cca','procrustes','clip','s_clip','gentle_clip','gentle_clip_warm')"
# Page, config, features, unmatched sets, methods and numbers of pairs, in the order of the runs.
AERIAL, PHOTOGRAPHS = "(12,30,0.01,0.03,0.1,1.0)", "(12,0.01,0.03,0.1,1.0)"
FEW = "(0.01,0.03,0.1)"
PARTS = [
    ("remote_sensing_frozen", "remote_sensing", "features", "shuffled", FORMS, AERIAL),
    ("vision_language_frozen", "vision_language", "features", "shuffled", FORMS, PHOTOGRAPHS),
    ("remote_sensing_turns", "remote_sensing", "rich_turns", "shuffled", DRAWN, AERIAL),
    ("vision_language_mirror", "vision_language", "rich_mirror", "shuffled", DRAWN, PHOTOGRAPHS),
    ("remote_sensing_disjoint", "remote_sensing", "features", "disjoint", CLOSED, FEW),
    ("vision_language_disjoint", "vision_language", "features", "disjoint", CLOSED, FEW),
    ("remote_sensing_shifted", "remote_sensing", "features", "shifted", CLOSED, FEW),
    ("remote_sensing_heads", "remote_sensing", "features", "shuffled", HEADS, AERIAL),
    ("vision_language_heads", "vision_language", "features", "shuffled", HEADS, PHOTOGRAPHS),
]
METRICS = ("zero_shot", "i2t", "t2i", "i2t_strict", "t2i_equal")
WHOLE = ("remote_sensing_frozen", "vision_language_frozen")
KINDS = {
    "features": "",
    "rich_turns": ", rich features in the mean over turns",
    "rich_mirror": ", rich features in the mean over mirror images",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    for kind, what in KINDS.items():
        parser.add_argument(
            f"--{kind.replace('_', '-')}", help=f"for the pages with{what[1:]}" if what else None
        )
    parser.add_argument("--workdir", type=pathlib.Path, default=ROOT / "runs" / "frozen")
    parser.add_argument("--only", default="", help="pages whose name matches")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args()
    for stem, field, kind, unmatched, methods, pairs in PARTS:
        features = getattr(args, kind)
        if re.search(args.only, stem) and features:
            overrides = {"features": features, "unmatched": unmatched, "pairs": pairs}
            overrides["methods"] = methods
            flags = [f"--config.{key}={value}" for key, value in overrides.items()]
            config = load_config(ROOT / "configs" / f"compare_{field}.py", flags)
            if unmatched != "shuffled":
                config.title += f", {unmatched} unmatched sets"
            if methods == HEADS:
                config.title += ", trained heads"
            config.title += KINDS[kind]
            compare_config(config, args.workdir / stem)
    for stem, *_ in PARTS:
        publish_comparison(args.workdir / stem, stem, args.out)


def publish_comparison(workdir: pathlib.Path, stem: str, out: pathlib.Path = RESULTS) -> None:
    """Publish results.json of a comparison, figures of each test set for `WHOLE` alone."""
    path = workdir / "results.json"
    if not path.exists():
        return
    content = unchecked(json.loads(path.read_text()))
    for run in content["runs"] if stem not in WHOLE else ():
        run["metrics"] = {name: run["metrics"][name] for name in METRICS if name in run["metrics"]}
    publish(stem, content, out)


if __name__ == "__main__":
    main()

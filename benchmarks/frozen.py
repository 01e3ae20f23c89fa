"""Every comparison on frozen features that docs/results shows.

    python benchmarks/frozen.py --features=features --rich=rich [--workdir=runs/frozen]
        [--only REGEX]

features/SET/{images,captions,classes} are folders of gentle-clip encode, see docs/features.md, and
benchmarks/class_names.py has written features/encoder_classes.npz; in rich/ there is the same by
--layers=rich. Each run is kept; the command goes on with what is missing, and --only=^$ writes the
pages anew alone.
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.compare import compare_config  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.report.comparison import write_comparison  # noqa: E402

FORMS = "('cca','cca+drawn','procrustes','ridge','relative','transported_cca','gentle_transport',"
FORMS += "'gentle_transport+drawn','named_transport','named_transport+drawn')"
RICH = "('cca','cca+drawn','clip','clip+drawn','gentle_clip','gentle_clip+drawn',"
RICH += "'gentle_transport','gentle_transport+drawn','named_transport','named_transport+drawn')"
CLOSED = "('cca','transported_cca','gentle_transport')"
HEADS = "('cca','procrustes','clip','s_clip','gentle_clip','gentle_clip_warm')"
# Page, config, unmatched sets, methods and numbers of pairs, in the order in which they are run.
PARTS = [
    ("remote_sensing_frozen", "remote_sensing", "shuffled", FORMS, "(12,30,0.01,0.03,0.1,1.0)"),
    ("vision_language_frozen", "vision_language", "shuffled", FORMS, "(12,0.01,0.03,0.1,1.0)"),
    ("remote_sensing_rich", "remote_sensing", "shuffled", RICH, "(12,30,0.01,0.03,0.1,1.0)"),
    ("vision_language_rich", "vision_language", "shuffled", RICH, "(12,0.01,0.03,0.1,1.0)"),
    ("remote_sensing_disjoint", "remote_sensing", "disjoint", CLOSED, "(0.01,0.03,0.1)"),
    ("remote_sensing_shifted", "remote_sensing", "shifted", CLOSED, "(0.01,0.03,0.1)"),
    ("remote_sensing_heads", "remote_sensing", "shuffled", HEADS, "(12,30,0.01,0.03,0.1,1.0)"),
    ("vision_language_heads", "vision_language", "shuffled", HEADS, "(12,0.01,0.03,0.1,1.0)"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", required=True)
    parser.add_argument("--rich", help="features by --layers=rich")
    parser.add_argument("--workdir", type=pathlib.Path, default=ROOT / "runs" / "frozen")
    parser.add_argument("--only", default="", help="pages whose name matches")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    for stem, field, unmatched, methods, pairs in PARTS:
        features = args.rich if methods == RICH else args.features
        if re.search(args.only, stem) and features:
            overrides = {"features": features, "unmatched": unmatched, "pairs": pairs}
            overrides["methods"] = methods
            flags = [f"--config.{key}={value}" for key, value in overrides.items()]
            config = load_config(ROOT / "configs" / f"compare_{field}.py", flags)
            if unmatched != "shuffled":
                config.title += f", {unmatched} unmatched sets"
            if methods == HEADS:
                config.title += ", trained heads"
            if methods == RICH:
                config.title += ", rich features"
            compare_config(config, args.workdir / stem)
    for stem in dict.fromkeys(part[0] for part in PARTS):
        if (args.workdir / stem / "results.json").exists():
            print(write_comparison(args.workdir / stem, out=args.out, stem=stem))


if __name__ == "__main__":
    main()

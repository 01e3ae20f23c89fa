"""What the image encoder was trained to tell apart, for methods that make use of it.

    python benchmarks/class_names.py --features=features

Writes features/encoder_classes.npz: the classifier [1000, 1280] of EfficientNet-Lite0, and MiniLM
features [1000, 384] of names and definitions of its classes, those of ImageNet; of --layers=rich as
many features as there are.
"""

import argparse
import pathlib

import numpy as np

from gentle_clip_jax.features.names import encoder_classes
from gentle_clip_jax.features.read import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--set", default="rsicd", help="one whose folders name the encoders")
    args = parser.parse_args()
    x, y = (read(args.features / args.set / side) for side in ("images", "captions"))
    classifier, names = encoder_classes(x.encoder, y.encoder, width=x.features.shape[1])
    path = args.features / "encoder_classes.npz"
    np.savez(path, classifier=classifier, names=names)
    print(path)


if __name__ == "__main__":
    main()

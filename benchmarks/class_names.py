"""What the image encoder was trained to tell apart, for methods that make use of it.

    python benchmarks/class_names.py --features=features

Writes features/encoder_classes.npz: the classifier [1000, 1280] of EfficientNet-Lite0, and MiniLM
features [1000, 384] of the names of its classes, those of ImageNet. Needs timm, for the names.
"""

import argparse
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gentle_clip_jax.data import texts  # noqa: E402
from gentle_clip_jax.encoders.published import pretrained  # noqa: E402
from gentle_clip_jax.encoders.published.weight_files import read_pth  # noqa: E402
from gentle_clip_jax.features.work import text_work  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--prompt", default="a photo of a {label}")
    args = parser.parse_args()
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    names = [info.index_to_description(i).split(",")[0] for i in range(1000)]
    work = text_work(
        [texts.Text(str(i), None, None, args.prompt.format(label=n)) for i, n in enumerate(names)]
    )
    features = np.concatenate([rows for rows, _ in work.embed(work.inputs)])[work.index]
    classifier = read_pth(pretrained.efficientnet_lite0().path)["_fc.weight"]
    path = args.features / "encoder_classes.npz"
    np.savez(path, classifier=classifier, names=features)
    print(path)


if __name__ == "__main__":
    main()

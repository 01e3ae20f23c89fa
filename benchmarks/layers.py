"""Which layers of EfficientNet-Lite0 say most of an image, on validation items.

    python benchmarks/layers.py --data=data --features=features [--workdir=runs/layers]
        [--seeds 10 11]

data/SET are the data sets and features/SET/{images,captions,classes} folders of gentle-clip encode,
see docs/features.md. What the layers make of the images is kept in --workdir. Writes layers.md and
layers.json.
"""

import argparse
import io
import itertools
import pathlib
import statistics
import sys
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from readme_tables import lines

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from published import publish  # noqa: E402

from gentle_clip_jax.aligners import METHODS  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.data import embeddings, images  # noqa: E402
from gentle_clip_jax.encoders.efficientnet_lite import Block, blocks  # noqa: E402
from gentle_clip_jax.encoders.published import pretrained  # noqa: E402
from gentle_clip_jax.files import write_arrays  # noqa: E402
from gentle_clip_jax.progress import track  # noqa: E402
from gentle_clip_jax.reading import read_arrays  # noqa: E402

FIELDS = {
    "aerial images": ("compare_remote_sensing", ("rsicd", "ucm-captions"), 1041),
    "photographs": ("compare_vision_language", ("flickr8k",), 600),
}
RICH = ("head", "filtered 320", "192", "192 deviation", "320", "320 deviation")
CHOICES = {
    "head": ("head",),
    "and its deviation": ("head", "head deviation"),
    "and stage 112": ("head", "112"),
    "and stage 192": ("head", "192", "192 deviation"),
    "and stage 320": ("head", "320", "320 deviation"),
    "and the last filtered channels of 192": ("head", "filtered 192"),
    "and those of 320": ("head", "filtered 320"),
    "rich": RICH,
    "rich, and stage 112": (*RICH, "112"),
    "rich, and the head's deviation": (*RICH, "head deviation"),
    "rich, and the last filtered channels of 192": (*RICH, "filtered 192"),
}
KINDS = ("as they are", "thumbnails")
THUMBNAIL = 32  # pixels of the shorter side
_HEAD = """# Layers of an encoder

`{command}` on {machine}. EfficientNet-Lite0, means over all places of its head, of stages by their
number of channels with the deviation over the places, and of channels that the last depthwise
filters of a stage give. Texts are those of MiniLM's last layer. CCA of the pairs, validation items,
{seeds} seeds: zero-shot (aerial images alone have classes there), image to text, text to image, in
per cent; the mean of them above that of the head, with the standard error over the seeds.
*Thumbnails*: the same for validation images shrunk to {thumbnail} pixels and enlarged again; the
aligner is that of the images as they are. *Rich* is what `encode --layers=rich` takes.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--workdir", type=pathlib.Path, default=ROOT / "runs" / "layers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    args.workdir.mkdir(parents=True, exist_ok=True)
    rows = []
    for field, (config, sets, pairs) in FIELDS.items():
        flags = [f"--config.features={args.features}", "--config.evaluate=validation"]
        loaded = load_config(config, flags)
        seen = {name: embedded(args.data / name, args.workdir / f"{name}.npz") for name in sets}
        for choice in CHOICES:
            items, thumbnails = (pool_with(loaded, seen, choice, kind) for kind in KINDS)
            for seed in args.seeds:
                problem = pool.draw(items, pairs, seed=seed, unmatched="shuffled")
                aligner = METHODS["cca"].fit(problem, jax.random.key(seed))
                row = {"field": field, "pairs": pairs, "choice": choice, "seed": seed}
                row |= {kind: figures(aligner, of) for kind, of in zip(KINDS, (items, thumbnails))}
                rows.append(row | {"features": items.x.shape[-1]})
                print(rows[-1], flush=True)
    publish(args.out / "layers", rows, page)


def embedded(data: pathlib.Path, kept: pathlib.Path) -> dict[str, np.ndarray]:
    """ids [n], and what each layer makes of images of the splits train and val; of thumbnails too.

    The names of what thumbnails become begin with "thumbnails ", their ids are "thumbnails ids".
    """
    if kept.exists():
        return read_arrays(kept)
    weights = pretrained.efficientnet_lite0()
    embed = jax.jit(lambda pixels: layers_of(weights, pixels))
    found = {}
    for kind, splits in zip(KINDS, (("train", "val"), ("val",))):
        begin = "" if kind == KINDS[0] else f"{kind} "
        listed = [one for split in splits for one in images.list_images(data, split)]
        parts = []
        for start in track(range(0, len(listed), 2), f"{data.name}, {kind}"):
            contents = [one.read() for one in listed[start : start + 2]]
            if begin:
                contents = [thumbnail(content) for content in contents]
            pixels = [images.decode(content, **weights.framing._asdict()) for content in contents]
            parts.append(embed(np.stack([*pixels, pixels[0]][:2])))
        for name in parts[0]:
            found[begin + name] = np.concatenate([part[name] for part in parts])[: len(listed)]
        found[f"{begin}ids"] = np.array([one.id for one in listed])
    write_arrays(kept, found)
    return found


def layers_of(weights: pretrained.Pretrained, pixels: jax.Array) -> dict[str, jax.Array]:
    """Every layer on trial, [b, channels] each, of pixels [b, 224, 224, 3]."""
    inside: Any = weights.model.apply(
        {"params": weights.params},
        pixels,
        capture_intermediates=lambda module, _: isinstance(module, Block) or module.name == "head",
        mutable=["intermediates"],
    )[1]["intermediates"]
    layers = {"head": jnp.clip(inside["head"]["__call__"][0], 0, 6)}
    for number, (channels, *_) in enumerate(blocks()):  # the last block of a stage stays
        output, filtered = inside[f"block_{number}"]["__call__"][0]
        layers |= {f"{channels}": output, f"filtered {channels}": filtered}
    found = {}
    for name in {*itertools.chain(*CHOICES.values())}:
        of = layers[name.removesuffix(" deviation")]
        is_mean = not name.endswith(" deviation")
        found[name] = of.mean(axis=(1, 2)) if is_mean else jnp.sqrt(of.var(axis=(1, 2)))
    return found


def thumbnail(content: bytes) -> bytes:
    """The image as a small PNG."""
    image = PIL.Image.open(io.BytesIO(content)).convert("RGB")
    scale = THUMBNAIL / min(image.size)
    small, file = image.resize([round(side * scale) for side in image.size]), io.BytesIO()
    small.save(file, "png")
    return file.getvalue()


def pool_with(config, seen: dict[str, dict[str, np.ndarray]], choice: str, kind: str) -> pool.Pool:
    """The pool of a config, the images' features being those of some layers."""
    read = embeddings.read

    def instead(path):
        rows = read(path)
        if path.name != "images" or path.parent.name not in seen:
            return rows
        of_set = seen[path.parent.name]
        width = sum(of_set[name].shape[1] for name in CHOICES[choice])
        features = np.zeros((len(rows.ids), width), np.float32)  # what is left is not asked for
        for begin in ("",) if kind == KINDS[0] else ("", f"{kind} "):
            place = {one: i for i, one in enumerate(rows.ids.tolist())}
            at = [place[one] for one in of_set[f"{begin}ids"].tolist()]
            features[at] = np.concatenate([of_set[begin + n] for n in CHOICES[choice]], axis=1)
        return rows._replace(features=features)

    with mock.patch.object(embeddings, "read", instead):
        return pool_of(config)._replace(classes=None)  # they are of the head alone


def figures(aligner, items: pool.Pool) -> list[float]:
    found = measure.summarize(measure.score(aligner, items))
    return [100 * found[name] for name in measure.MAIN if name in found]


def page(content: dict) -> str:
    rows, about = content["rows"], content["machine"]
    parts = [
        _HEAD.format(
            command=content["command"],
            machine=f"{about['cpus']} x {about['processor']}",
            seeds=len({row["seed"] for row in rows}),
            thumbnail=THUMBNAIL,
        )
    ]
    for field, (_, _, pairs) in FIELDS.items():
        here = [row for row in rows if row["field"] == field]
        table = []
        for choice in CHOICES:
            some = [row for row in here if row["choice"] == choice]
            cells = [cell(some, here, kind) for kind in KINDS]
            table.append([choice, f"{some[0]['features']:,}", *cells])
        heads = f"| | features | {' | '.join(KINDS)} |"
        parts.append(f"## {field.capitalize()}, {pairs:,} pairs\n\n{lines(heads, table)}")
    return "\n".join(parts)


def cell(some: list[dict], here: list[dict], kind: str) -> str:
    """The mean of each figure, and the gain over the head in the mean of all."""
    head = {row["seed"]: row[kind] for row in here if row["choice"] == "head"}
    told = " / ".join(f"{value:.1f}" for value in np.mean([row[kind] for row in some], axis=0))
    gains = [statistics.mean(row[kind]) - statistics.mean(head[row["seed"]]) for row in some]
    if not any(gains):
        return told
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    return f"{told} ({statistics.mean(gains):+.1f} ± {error:.1f})"


if __name__ == "__main__":
    main()

"""Frozen encoders measured: images and captions a second.

    python benchmarks/encoders.py [--seconds 10] [--out docs/results]

Every row is a process of its own. Writes encoders.json. Rows of PyTorch, of ONNX Runtime alone and
of single convolutions were measured at commit bd34294; they stay.
"""

import argparse
import importlib.metadata
import io
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from published import RESULTS, command, publish, read

BATCHES, LENGTHS = (1, 2, 4, 16), (8, 16, 32, 64)
ROWS = (
    [("images", form, size) for size in BATCHES for form in ("ours", "ours by JAX")]
    + [("captions", "ours", length) for length in LENGTHS]
    + [("encode", "images", 1024), ("encode", "captions", 4096)]
)
PACKAGES = ("jax", "jaxlib", "flax", "pillow", "tokenizers", "onnxruntime")


def main() -> None:
    from gentle_clip_jax.runs.log import processor

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="for each row")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(*args.row, seconds=args.seconds)))
        return
    load, rates = os.getloadavg()[0], []
    for row in ROWS:
        own = [sys.executable, __file__, "--row", json.dumps(row), "--seconds", str(args.seconds)]
        output = subprocess.run(own, check=True, capture_output=True, text=True).stdout
        rates.append([*row, json.loads(output.splitlines()[-1])])
        print(*rates[-1], flush=True)
    content = {
        "command": command("encoders"),
        "machine": f"{processor()} that had {load:.1f} other programs to run",
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    kept = read("encoders", args.out).get("rates", [])
    new = [rate[:3] for rate in rates]
    content["rates"] = [rate for rate in kept if rate[:3] not in new] + rates
    publish("encoders", content, args.out)


def measure(case: str, form: str, size: int, *, seconds: float) -> float:
    """Items a second, by the fastest repetition."""
    make = {
        ("images", "ours"): our_images,
        ("images", "ours by JAX"): lambda size: our_images(size, "compiled_by_jax"),
        ("captions", "ours"): our_captions,
        ("encode", "images"): encode_images,
        ("encode", "captions"): encode_captions,
    }[case, form]
    run, items = make(size)
    run()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return items / min(times)


Made = tuple[Callable[[], object], int]


def pixels(batch: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), dtype=np.uint8)


def tokens(length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 30000, (64, length), dtype=np.int32)


def our_images(batch: int, compiled: str = "compiled") -> Made:
    from gentle_clip_jax.encoders.published import pretrained
    from gentle_clip_jax.features import embedder

    apply = getattr(embedder, compiled)(pretrained.efficientnet_lite0())
    inputs = pixels(batch)
    return lambda: apply(inputs), batch


def our_captions(length: int) -> Made:
    from gentle_clip_jax.encoders.published import pretrained
    from gentle_clip_jax.features import embedder

    apply, inputs = embedder.compiled(pretrained.minilm()), tokens(length)
    return lambda: apply(inputs), len(inputs)


def encode_images(num: int) -> Made:
    """From the bytes of JPEG files of 256 x 256 pixels to features."""
    from PIL import Image

    from gentle_clip_jax.data import images
    from gentle_clip_jax.features.loading import load_encoder
    from gentle_clip_jax.features.work import image_work

    rng = np.random.default_rng(0)
    files = []
    for _ in range(num):
        file, coarse = io.BytesIO(), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((256, 256)).save(file, "JPEG", quality=80)
        files.append(file.getvalue())
    listed = [images.Image(str(i), None, None, lambda f=f: f) for i, f in enumerate(files)]
    work = image_work(listed, load_encoder("efficientnet-lite0"))
    embed = work.load()
    return lambda: [*embed(work.decode(work.inputs, [None] * num))], num


def encode_captions(num: int) -> Made:
    """From the tokens of distinct texts of 5 to 20 words to features."""
    from gentle_clip_jax.data import texts
    from gentle_clip_jax.features.loading import load_encoder
    from gentle_clip_jax.features.work import text_work

    words = ("a", "two", "red", "boat", "pier", "water", "near", "green", "people", "of", "large")
    rng = np.random.default_rng(0)
    listed = [
        texts.Text(str(i), None, None, f"{i} " + " ".join(rng.choice(words, rng.integers(5, 21))))
        for i in range(num)
    ]
    work = text_work(listed, load_encoder("minilm"))
    embed = work.load()
    return lambda: [*embed(work.inputs)], num


if __name__ == "__main__":
    main()

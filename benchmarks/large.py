"""Many items: what listing 100,000 files costs, and the memory that encode takes.

    python benchmarks/large.py [--items 4000 40000] [--files 100000]

Writes docs/results/large.json. Pictures of 8 x 8 pixels go through a made-up encoder
of 1,280 features, so that what is measured is all but the encoder. Each row is a process of its
own.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from published import RESULTS, publish

WIDTH = 1280


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--items", type=int, nargs="+", default=[4_000, 40_000])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--row", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        step, *words = args.row
        print(json.dumps({"listing": listing, "encode": encode, "merge": merge}[step](*words)))
        return
    from gentle_clip_jax.runs.log import machine
    from gentle_clip_jax.storage.digests import sha256

    load, rows = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        empty_files(folder / "files", args.files)
        listed = in_a_process("listing", folder / "files")
        for number in args.items:
            paint(folder / "pictures", number)
            one = in_a_process("encode", folder / "pictures", folder / f"one{number}")
            parts = [
                in_a_process("encode", folder / "pictures", folder / f"many{number}", f"{i}/2")
                for i in range(2)
            ]
            merged = in_a_process("merge", folder / f"many{number}")
            same = all(
                sha256(folder / f"one{number}" / file) == sha256(folder / f"many{number}" / file)
                for file in ("features.npy", "rows.jsonl", "manifest.json")
            )
            rows.append({"items": number, "one": one, "shards": parts, "merge": merged})
            rows[-1]["same_bytes"] = same
            print(rows[-1], flush=True)
    content = {"machine": machine(), "load": load, "files": args.files, "listing": listed}
    content["rows"] = rows
    publish("large", content, args.out)


def empty_files(folder: pathlib.Path, number: int) -> None:
    for i in range(number):
        if i % 1000 == 0:
            (folder / f"{i // 1000:03}").mkdir(parents=True)
        (folder / f"{i // 1000:03}" / f"{i:06}.jpg").touch()


def paint(folder: pathlib.Path, number: int) -> None:
    """Adds pictures, no two alike, until there are so many."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for i in range(number):
        path = folder / f"{i:06}.bmp"
        if not path.exists():
            Image.new("RGB", (8, 8), (i % 256, i // 256 % 256, i // 65536)).save(path)


def in_a_process(*words: object) -> dict[str, float]:
    command = [sys.executable, __file__, "--row", *map(str, words)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def listing(folder: str) -> dict[str, float]:
    from gentle_clip_jax.data import images

    before, begun = peak_mib(), time.perf_counter()
    cpu = time.process_time()
    listed = images.list_images(pathlib.Path(folder))
    found = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    return {"files": len(listed), **found, "more_mib": peak_mib() - before}


def encode(data: str, out: str, shard: str = "") -> dict[str, float]:
    from gentle_clip_jax.commands import main

    install(pathlib.Path(data).with_name("weights"))
    begun = time.perf_counter()
    options = [f"--shard={shard}"] if shard else []
    command = ["encode", "--encoder=efficientnet-lite0", f"--data={data}", f"--out={out}"]
    if main.main([*command, "--batch-size=64", *options]):
        sys.exit("encode failed")
    return {"seconds": time.perf_counter() - begun, "peak_mib": peak_mib()}


def merge(out: str) -> dict[str, float]:
    from gentle_clip_jax.commands import main

    begun = time.perf_counter()
    if main.main(["encode", "--merge", f"--out={out}"]):
        sys.exit("merge failed")
    return {"seconds": time.perf_counter() - begun, "peak_mib": peak_mib()}


def install(weights: pathlib.Path) -> None:
    """Puts an encoder that takes no time in the place of EfficientNet-Lite0."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp

    from gentle_clip_jax.encoders.published import pretrained

    class MeanColour(nn.Module):
        @nn.compact
        def __call__(self, images):
            kernel = self.param("kernel", nn.initializers.normal(), (3, WIDTH))
            return images.astype(jnp.float32).mean(axis=(1, 2)) @ kernel

    weights.write_bytes(b"weights")
    model = MeanColour()
    params = model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))["params"]
    loaded = pretrained.Pretrained(model, params, weights, "image", None)
    pretrained.efficientnet_lite0 = lambda: loaded


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

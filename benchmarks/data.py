"""Image data measured on one core: reading, decoding, views; and whether a step waits for it.

    python benchmarks/data.py [--seconds 4] [--out docs/results]

Everything runs in one process on one core, and what is counted are seconds of its processor time,
so that other programs on the machine matter little. The pictures are noise with the spectrum of
photographs, as JPEG files of about their size; all are in memory or in the disk's cache. Writes
data.md and data.json.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import io
import json
import os
import pathlib
import shlex
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
PACKAGES = ("jax", "jaxlib", "numpy", "pillow", "pyarrow", "array-record", "tensorflow-datasets")

FILES = {
    "128 x 128": (128, 128),
    "299 x 224": (299, 224),
    "500 x 375": (500, 375),
    "2048 x 1536": (2048, 1536),
}
SIZES = (128, 224)
NUM_STORED = 4096
VIEWS = {"crop": 0.3, "flip": 0.5, "turn": 0.75, "brightness": 0.2, "contrast": 0.2}
BATCH, CORES = 256, 16
ACCELERATORS = {"A100": 312, "H100": 989}  # dense bfloat16 TFLOP/s by their makers' data sheets
SHARE = 0.4  # of that is reached in training; more is rare


def transformer(tokens: int, width: int, depth: int) -> float:
    """Multiply-adds of a forward pass, in billions."""
    return depth * (12 * tokens * width**2 + 2 * tokens**2 * width) / 1e9


# Towers, multiply-adds of a pair's forward pass in billions, the files and the size of its images.
CLIP_TEXT = transformer(77, 512, 12)
BASE_32, BASE_16 = transformer(50, 768, 12), transformer(197, 768, 12)
LARGE = transformer(257, 1024, 24) + transformer(77, 768, 12)
LITE = 0.407 * (128 / 224) ** 2  # 0.407 at 224 pixels, as its authors say
TOWERS = (
    ("EfficientNet-Lite0, MiniLM", LITE + transformer(32, 384, 6), "128 x 128", 128),
    ("CLIP ViT-B/32", BASE_32 + CLIP_TEXT, "299 x 224", 224),
    ("CLIP ViT-B/32", BASE_32 + CLIP_TEXT, "500 x 375", 224),
    ("CLIP ViT-B/16", BASE_16 + CLIP_TEXT, "500 x 375", 224),
    ("CLIP ViT-L/14", LARGE, "500 x 375", 224),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=4, help="for each figure")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from gentle_clip_jax.runs.log import processor

    content = {
        "command": shlex.join(["python", "benchmarks/data.py", *sys.argv[1:]]),
        "machine": f"one core of {processor()} that had {load:.1f} other programs to run",
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "decode": [*decoding(args.seconds)],
        "views": [*views(args.seconds)],
        "read": [*reading(args.seconds)],
    }
    content["steps"] = steps(content)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "data.json").write_text(json.dumps(content, indent=1) + "\n")
    (args.out / "data.md").write_text(page(content))
    print(args.out / "data.md")


def least(run: Callable[[], object], items: int, seconds: float) -> float:
    """Microseconds of processor time an item, of the fastest repetition, three at least."""
    run()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.process_time()
        run()
        times.append(time.process_time() - before)
    return min(times) / items * 1e6


def photographs(width: int, height: int, count: int) -> list[bytes]:
    """JPEG files of noise whose amplitudes fall with the frequency, as those of photographs do."""
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    fall = 1 / np.maximum(np.hypot(x, y), 1 / max(width, height)) ** 1.2
    files = []
    for _ in range(count):
        spectra = rng.normal(size=(2, 3, height, width // 2 + 1)) * fall
        pixels = np.fft.irfft2(spectra[0] + 1j * spectra[1], (height, width))
        pixels = pixels.mean(axis=0) + 0.2 * pixels  # colours are mostly shades of one another
        pixels = 128 + 50 * (pixels - pixels.mean()) / pixels.std()
        file = io.BytesIO()
        shades = np.clip(pixels, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        Image.fromarray(shades).save(file, "JPEG", quality=80)
        files.append(file.getvalue())
    return files


def decoding(seconds: float) -> Iterator[dict]:
    """From the bytes of a file to pixels, for each kind of file and each size."""
    from gentle_clip_jax.data.pixels import decode

    for kind, (width, height) in FILES.items():
        files = photographs(width, height, 8 if width > 1000 else 64)
        for size in SIZES:

            def run(files=files, size=size) -> None:
                for file in files:
                    decode(file, size)

            whole, free = in_and_out_of_the_lock(run, len(files), seconds)
            row = {
                "file": kind,
                "bytes": round(sum(map(len, files)) / len(files)),
                "size": size,
                "us": whole,
                "held_us": whole - free,
            }
            print(row, flush=True)
            yield row


def in_and_out_of_the_lock(
    run: Callable[[], object], items: int, seconds: float
) -> tuple[float, float]:
    """Microseconds an item, and those in which Pillow lets go of Python's lock.

    It does in its decoder and in resizing; both are wrapped to be timed.
    """
    from PIL import Image

    spent = [0.0]

    def timed(call: Callable) -> Callable:
        def timing(*args, **keywords):
            before = time.process_time()
            try:
                return call(*args, **keywords)
            finally:
                spent[0] += time.process_time() - before

        return timing

    class Decoder:
        def __init__(self, decoder):
            self._decoder, self.decode = decoder, timed(decoder.decode)

        def __getattr__(self, name):
            return getattr(self._decoder, name)

    run()
    real, resize = Image._getdecoder, Image.Image.resize
    Image._getdecoder = lambda *args: Decoder(real(*args))
    Image.Image.resize = timed(resize)
    try:
        passes, start = [], time.perf_counter()
        while len(passes) < 3 or time.perf_counter() - start < seconds:
            spent[0], before = 0.0, time.process_time()
            run()
            passes.append((time.process_time() - before, spent[0]))
    finally:
        Image._getdecoder, Image.Image.resize = real, resize
    whole, free = min(passes)
    return whole / items * 1e6, free / items * 1e6


def views(seconds: float) -> Iterator[dict]:
    """Random views of a batch of images, compiled for one core; and their products, for others."""
    import jax
    import jax.numpy as jnp

    from gentle_clip_jax.tasks.captioned_images.views import rgb_views

    view = jax.jit(functools.partial(rgb_views, **VIEWS))
    for size in SIZES:
        images = jnp.full((64, size, size, 3), 99.0)
        call = functools.partial(view, jax.random.key(0), images)
        us = least(lambda call=call: call().block_until_ready(), len(images), seconds)
        flops = view.lower(jax.random.key(0), images).compile().cost_analysis()["flops"]
        row = {"size": size, "us": us, "mflop": flops / len(images) / 1e6}
        print(row, flush=True)
        yield row


def reading(seconds: float) -> Iterator[dict]:
    """The bytes of stored files, in order and shuffled, as training reads them."""
    from gentle_clip_jax.data import prepare
    from gentle_clip_jax.data.images import list_images

    pictures = photographs(128, 128, 64)
    files = {f"{i:05d}": pictures[i % len(pictures)] for i in range(NUM_STORED)}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        stores = {
            "a folder of files": write_files(root / "files", files),
            "zip": write_zip(root / "zip", files),
            "parquet, 1,000 rows a group": write_parquet(root / "parquet 1000", files, 1000),
            "parquet, 100 rows a group": write_parquet(root / "parquet 100", files, 100),
        }
        with contextlib.redirect_stdout(io.StringIO()):
            prepared = prepare.prepare("rsicd", stores["zip"], root / "to")
        stores["prepared, array_record"] = prepared
        shuffled = np.random.default_rng(0).permutation(NUM_STORED)
        for form, path in stores.items():
            listed = list_images(path)
            row = {"form": form}
            for order, rows in (("in order", range(NUM_STORED)), ("shuffled", shuffled[:512])):
                run = functools.partial(read_all, [listed[number] for number in rows])
                row[order] = least(run, len(rows), seconds)
            print(row, flush=True)
            yield row


def read_all(images: Sequence) -> None:
    for image in images:
        image.read()


def write_files(folder: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.jpg").write_bytes(content)
    return folder


def write_zip(folder: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.jpg", content)
    lines = [json.dumps({"id": name, "captions": ["A caption."]}) + "\n" for name in files]
    (folder / "metadata.jsonl").write_text("".join(lines))
    return folder


def write_parquet(folder: pathlib.Path, files: dict[str, bytes], group: int) -> pathlib.Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    table = pa.table({"id": [*files], "image": [*files.values()]})
    pq.write_table(table, folder / "images.parquet", row_group_size=group)
    return folder


def steps(content: dict) -> list[dict]:
    """On paper: a batch's time on the host and on accelerators.

    What holds Python's lock is done by one thread at a time; the rest by all cores. Reading is
    taken to hold it. A step's products are three times those of the forward pass.
    """
    decoded = {(row["file"], row["size"]): row for row in content["decode"]}
    read = next(row["shuffled"] for row in content["read"] if "array_record" in row["form"])
    found = []
    for name, gmacs, file, size in TOWERS:
        row = decoded[file, size]
        whole, held = read + row["us"], read + row["held_us"]
        tflop = 2 * 3 * gmacs * BATCH / 1e3
        found.append(
            {
                "towers": name,
                "file": file,
                "size": size,
                "host_ms": BATCH * max(whole / CORES, held) / 1e3,
                "limit": "lock" if held > whole / CORES else "cores",
                "tflop": tflop,
                "step_ms": {a: tflop / peak / SHARE * 1e3 for a, peak in ACCELERATORS.items()},
            }
        )
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    view_us = {row["size"]: row["us"] for row in content["views"]}
    decode_rows = [
        (
            f"{row['file']}, {row['bytes'] / 1e3:,.1f} kB",
            row["size"],
            f"{1e6 / row['us']:,.0f}",
            f"{row['held_us'] / row['us']:.0%}",
            f"{1e6 / view_us[row['size']]:,.0f}",
            f"{1e6 / (row['us'] + view_us[row['size']]):,.0f}",
        )
        for row in content["decode"]
    ]
    read_rows = [
        (row["form"], f"{1e6 / row['in order']:,.0f}", f"{1e6 / row['shuffled']:,.0f}")
        for row in content["read"]
    ]
    step_rows = [
        (
            row["towers"],
            f"{row['file']} to {row['size']}",
            f"{row['host_ms']:.1f} ({row['limit']})",
            f"{row['tflop']:.1f}",
            *(
                f"{ms:.1f}{'' if ms >= row['host_ms'] else ', waits'}"
                for ms in row["step_ms"].values()
            ),
        )
        for row in content["steps"]
    ]
    decode_head = ("file", "pixels", "decoded", "of it in Python's lock", "views", "both")
    step_head = ("towers", "images", "host, ms", "TFLOP", *(f"{a}, ms" for a in ACCELERATORS))
    return f"""# Image data: how fast it is read, decoded and augmented

`{content["command"]}` on {content["machine"]}, with
{", ".join(f"{name} {number}" for name, number in content["versions"].items())}.
Figures are for a second of that core's own time, by the fastest repetition.

## Decoded and augmented, images a second and core

{table(decode_head, decode_rows)}

Decoded: from a JPEG file in memory to square pixels, as `data/pixels.py` does it for every set.
Views: a random crop, flips, turns, brightness and contrast, as in configs/remote_sensing.py, by
`tasks/captioned_images/views.py` on this core; in training they are part of the step, on the
accelerator, and
take {", ".join(f"{row['mflop']:.0f} MFLOP at {row['size']} pixels" for row in content["views"])}.

## Read, files a second and core

{table(("stored as", "in order", "shuffled"), read_rows)}

{NUM_STORED:,} JPEG files of 128 x 128 pixels. Training reads shuffled: of parquet, a whole group of
rows is read for one of them; `gentle-clip data prepare` writes array_record.

## Does a step wait? On paper, batch {BATCH} on {CORES} cores

{table(step_head, step_rows)}

Host: reading from array_record, shuffled, and decoding {BATCH} images, by threads of one process.
What runs in Python's lock is done by one thread at a time, all reading among it; the rest by
{CORES} cores: the larger of the two is what counts, named in brackets. The step: the products of
both towers, forward and twice that backward, at {SHARE:.0%} of what data sheets promise
({", ".join(f"{a} {peak} TFLOP/s" for a, peak in ACCELERATORS.items())}, bfloat16); the second view
of SSL would double it. The loop starts a step and loads the next batch while it runs, so a step
waits only where the host takes longer.

{verdict(content["steps"])}
"""


def verdict(found: list[dict]) -> str:
    waits = [
        f"{row['towers']} from {row['file']} on {name}"
        for row in found
        for name, ms in row["step_ms"].items()
        if ms < row["host_ms"]
    ]
    if not waits:
        return "None of these waits on data."
    return (
        f"Those that wait: {'; '.join(waits)}. The others do not. Where cores are the limit, files "
        "no larger than needed help; where the lock is, a process for each accelerator does."
    )


if __name__ == "__main__":
    main()

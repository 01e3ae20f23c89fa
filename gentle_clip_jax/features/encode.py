"""Features of frozen encoders: images, texts or protein sequences become a folder of embeddings."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from gentle_clip_jax.data import images, sequences, texts
from gentle_clip_jax.encoders.published.pretrained import role_of
from gentle_clip_jax.features.arguments import ARGUMENTS, check_folder
from gentle_clip_jax.features.collection import Collection
from gentle_clip_jax.features.loading import load_encoder
from gentle_clip_jax.features.read import read
from gentle_clip_jax.features.shards import folder_of
from gentle_clip_jax.features.update import update
from gentle_clip_jax.features.work import Work, image_work, text_work
from gentle_clip_jax.storage import locks
from gentle_clip_jax.storage.text import command


def encode(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    encoder: str,
    role: str | None = None,
    dtype: str = "float32",
    batch_size: int | None = None,
    split: str | None = None,
    prompt: str | None = None,
    layers: str | None = None,
    views: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    shard: tuple[int, int] | None = None,
) -> Collection:
    """Write the features of the images, texts or sequences of `data` into the folder `out`.

    `encoder` is one that `load_encoder` knows, as are `role`, `layers` and `views`: for images
    (`images.list_images` says what data may be), for texts (`texts.list_texts`, with the names of
    two columns of a table; with a prompt, `texts.list_classes`) or for the protein sequences of a
    FASTA file. In `out` there will be features.npy [n, d]; rows.jsonl, a line for each row: the id,
    split and label of its item, a text itself, and the SHA-256 of what the features are of; and
    manifest.json: where all came from, and what was skipped.

    After an interruption, the same call resumes. A later call embeds new or changed items and drops
    removed ones; other weights, settings or versions embed everything again.

    With `shard`, number i of n from 0, only every n-th block of 512 inputs, from the i-th on, is
    read and embedded, into a folder below `out`; `shards.merge` merges the finished shards. Several
    processes that share the folder may make the shards at the same time.

    Returns:
      The features of all items, or of the shard; its `manifest` is what manifest.json holds.

    Raises:
      ValueError: data or out cannot be used, weights are not there, or features are not finite;
        says what to do.
    """
    data, out = pathlib.Path(data), pathlib.Path(out)
    arguments = {
        "encoder": encoder,
        "role": role,
        "data": str(data),
        "split": split,
        "prompt": prompt,
        "dtype": dtype,
        "layers": layers,
        "views": views,
        "text_column": text_column,
        "id_column": id_column,
    }
    columns = texts.Columns(text_column, id_column)
    work = _work(data, encoder, role, batch_size, split, prompt, layers, views, columns)
    if shard is not None:
        out = folder_of(out, shard)
    check_folder(out, arguments)
    with locks.alone_in(out):
        check_folder(out, arguments)  # again: another command may have ended in between
        manifest = update(work, out, arguments, shard)
    if not manifest["num_rows"]:  # a shard of few inputs
        return Collection(np.zeros((0, 0)), np.zeros(0, str), path=out, manifest=manifest)
    return read(out)


def after_encode(out: str, manifest: Mapping[str, Any], shard: object = None) -> str:
    """Return the next step: merge, or review with the only other collection beside `out`."""
    if shard:
        return f"once all parts are finished, {command('encode', merge=True, out=out)}"
    folder = pathlib.Path(out)
    beside = {file.parent for file in folder.parent.glob(f"*/{ARGUMENTS}")} - {folder}
    if len(beside) != 1:
        return "gentle-clip encode for the other modality, then gentle-clip review with both"
    (other,) = beside
    x, y = (other, out) if "max_tokens" in manifest else (out, other)
    return command("review", x=x, y=y, pairs="pairs.csv")


def _work(
    data: pathlib.Path,
    encoder: str,
    role: str | None,
    batch_size: int | None,
    split: str | None,
    prompt: str | None,
    layers: str | None,
    views: str | None,
    columns: texts.Columns,
) -> Work:
    """Return the inputs to embed, and the encoder for them."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch_size}.")
    role = role_of(encoder, role)
    if prompt is not None and role != "text":
        raise ValueError("A prompt makes texts: use it with an encoder of texts, as minilm is.")
    if any(columns) and (role != "text" or prompt is not None):
        raise ValueError(
            "--text-column and --id-column are for tables of texts, with an encoder of texts and "
            "without --prompt: leave them out."
        )
    settings: Any = {"role": role, "layers": layers, "views": views, "batch_size": batch_size}
    if role == "image":
        pictures = images.list_images(data, split)
        return image_work(pictures, load_encoder(encoder, **settings))
    if role == "text":
        listed = (
            texts.list_texts(data, split, columns)
            if prompt is None
            else texts.list_classes(data, prompt, split)
        )
        return text_work(listed, load_encoder(encoder, **settings))
    if split is not None:
        raise ValueError(f"Protein sequences have no splits: leave out --split={split}.")
    proteins = [texts.Text(id_, None, None, one) for id_, one in sequences.read_fasta(data).items()]
    return text_work(proteins, load_encoder(encoder, **settings))

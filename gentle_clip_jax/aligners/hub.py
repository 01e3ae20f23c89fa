"""Uploads of aligners to the Hugging Face Hub: their card, and the metadata that is public."""

import dataclasses
import json
import pathlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from gentle_clip_jax.aligners import Aligner, load
from gentle_clip_jax.aligners.sentences import sentences
from gentle_clip_jax.storage.writing import write_text

_REPO = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
_LICENSE = re.compile(r"\w[\w.+-]{0,60}")
# Figures, hashes and names of encoders; other metadata may be ids or texts.
_UPLOADED = ("method", "settings", "held_out", "fitted_on", "versions", "smoothed_galleries")
_UPLOADED += ("bank", "modalities", "encoders", "sha256", "expected")
_LICENSES = {
    "efficientnet-lite0": "apache-2.0",
    "minilm": "apache-2.0",
}  # licenses of packaged weights


def push(
    aligner: str | pathlib.Path,
    repo: str,
    *,
    private: bool = False,
    license: str | None = None,
    also: Sequence[str] = (),
) -> str:
    """Upload an aligner with a card of its expected recall; return its address.

    The aligners of `gentle-clip align` contain no ids, texts or pictures, and of further metadata
    only `also` is uploaded. They do contain features: of pairs in relative representations, and of
    many items for neighbour, gallery and query smoothing; the card has their number.

    Args:
      aligner: a folder that `Aligner.save` has written.
      repo: "ORG/NAME", made if it is not there.
      private: only the owners see a new repository.
      license: of the aligner, as the Hub spells it.
      also: further keys of `metadata` to upload.

    Raises:
      ValueError: the folder has no aligner, the name or the license is invalid, a key is missing,
        or the Hub refuses it.
    """
    import huggingface_hub

    if not _REPO.fullmatch(repo):
        raise ValueError(f"{repo[:100]!r} is no name of a repository: give ORG/NAME.")
    if license is not None and not _LICENSE.fullmatch(license):
        raise ValueError(f"{license[:100]!r} is no license: give its short name, as apache-2.0 is.")
    fitted = _with_uploaded_metadata(load(aligner), also)
    api = huggingface_hub.HfApi(library_name="gentle-clip-jax")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        fitted.save(folder)
        write_text(folder / "README.md", card(fitted, repo, license))
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            # Arrays are named by their content: delete those of an earlier aligner.
            commit = api.upload_folder(
                repo_id=repo,
                folder_path=folder,
                commit_message="Upload an aligner",
                delete_patterns="arrays-*.safetensors",
            )
        except Exception as error:  # network, Hub or missing token
            raise ValueError(
                f"{repo} could not be uploaded ({' '.join(str(error).split())[:300]}): run "
                "hf auth login, or see to the network."
            ) from error
    return str(commit).partition("/commit/")[0]


def card(aligner: Aligner, repo: str, license: str | None = None) -> str:
    """Return the README.md of a repository, with the metadata that the Hub reads."""
    from huggingface_hub import ModelCardData

    metadata = ModelCardData(
        license=license, library_name="gentle-clip-jax", tags=["gentle-clip", "jax"]
    )
    record = aligner.metadata
    x, y = record.get("modalities", ("x", "y"))
    fitted_on = record["fitted_on"]
    expected = sentences(record) if "expected" in record else []
    parts = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {repo.partition('/')[2]}",
        f"An aligner of {x} and {y}: it takes features of either side into one space, where "
        "cosines say what belongs together.",
        _USE.format(repo=repo),
        "## What to expect",
        "\n".join(f"- {line}" for line in expected) or "Nothing was held out to say so.",
        "## What it was fitted to",
        f"- {fitted_on['pairs']:,} pairs, {fitted_on['unmatched_x']:,} unmatched items of {x} and "
        f"{fitted_on['unmatched_y']:,} of {y}; method {record['method']}",
        *(f"- {line}" for line in _encoders(record, (x, y))),
        f"- in its arrays: features or embeddings of {_num_items(aligner) or 'no'} items; no "
        "ids, texts or pictures",
        f"License of the aligner: {license or 'not stated'}. Encoders have licenses of their own.",
    ]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def _with_uploaded_metadata(aligner: Aligner, also: Sequence[str]) -> Aligner:
    record = aligner.metadata
    if missing := [key for key in also if key not in record]:
        raise ValueError(
            f"The aligner tells nothing of {missing[0][:100]!r}: it has {', '.join(record)}."
        )
    uploaded = {key: record[key] for key in (*_UPLOADED, *also) if key in record}
    for encoder in uploaded.get("encoders", {}).values():
        if encoder and pathlib.PurePath(encoder["encoder"]).is_absolute():  # a path on this machine
            encoder["encoder"] = pathlib.PurePath(encoder["encoder"]).name
    return dataclasses.replace(aligner, record=json.dumps(uploaded), pair_ids=None, samples={})


def _encoders(record: dict[str, Any], names: tuple[str, str]) -> Iterator[str]:
    for side, name in zip("xy", names):
        encoder = record.get("encoders", {}).get(side)
        width = record["fitted_on"][f"features_{side}"]
        if encoder is None:
            yield f"{name}: {width:,} features; their encoder is not known"
        else:
            role = f", role {encoder['role']}" if encoder.get("role") else ""
            license = _LICENSES.get(encoder["encoder"], "see its own card")
            sha256 = str(encoder.get("weights_sha256"))[:16]
            yield (
                f"{name}: {width:,} features of {encoder['encoder']}{role}, SHA-256 of the weights "
                f"{sha256}..., license {license}"
            )


def _num_items(aligner: Aligner) -> int:
    """Count the items whose features or embeddings are in the arrays."""
    counts = (
        len(array)
        for path, array in jax.tree.leaves_with_path([aligner.maps, aligner.texts])
        if getattr(path[-1], "name", "").startswith(("bank", "anchors", "texts"))
    )
    return max(counts, default=0)


_USE = """```python
from gentle_clip_jax import load

aligner = load("hf://{repo}")
cosines = aligner.embed_x(x) @ aligner.embed_y(y).T  # features of the encoders below
```"""

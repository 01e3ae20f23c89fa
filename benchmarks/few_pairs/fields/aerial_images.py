"""Aerial images and their captions: RSICD and UCM-Captions, train splits."""

import json

import numpy as np
from few_pairs.encoded import IMAGES, TEXTS, captioned
from few_pairs.protocol import Field


def load(data, cache):
    x, y, ids, labels = [], [], [], []
    for name in ("rsicd", "ucm-captions"):
        images, captions, names = captioned(data, cache, name)
        with (data / name / "metadata.jsonl").open() as lines:
            label = {item["id"]: item.get("label", "") for item in map(json.loads, lines)}
        x.append(images)
        y.append(captions)
        ids += [f"{name}/{id_}" for id_ in names]
        labels += [label[id_].replace(" ", "").lower() for id_ in names]
    return Field(
        np.concatenate(x),
        np.concatenate(y),
        np.array(ids),
        "aerial images and the mean of five captions (RSICD, UCM-Captions)",
        (IMAGES, TEXTS),
        "research use",
        labels=np.array(["" if label == "playfields" else label for label in labels]),
    )

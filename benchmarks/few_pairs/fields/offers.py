"""Offers of two shops: Abt and Buy, Amazon and Google; the two sides are encoded differently."""

import collections

import numpy as np
from few_pairs.encoded import TEXTS, hashed, texts
from few_pairs.protocol import Field

SETS = {"abt-buy": ("name", "description", "price"), "amazon-google": ("title", "manufacturer")}


def load(data, cache):
    x, y, ids = [], [], []
    for name, columns in SETS.items():
        table = {part: _rows(data, f"{name}-{part}") for part in ("x", "y", "pairs")}
        offers = [
            {row["id"]: " ".join(row[key] for key in columns if row[key]) for row in table[side]}
            for side in ("x", "y")
        ]
        uses = [collections.Counter(pair[side] for pair in table["pairs"]) for side in ("x", "y")]
        for pair in table["pairs"]:  # of offers with one partner
            if uses[0][pair["x"]] == uses[1][pair["y"]] == 1:
                x.append(offers[0][pair["x"]])
                y.append(offers[1][pair["y"]])
                ids.append(f"{name}/{pair['x']}")
    features = texts(cache, "offers_x", x)
    return Field(
        features,
        hashed(y, analyzer="word", ngrams=(1, 2)),
        np.array(ids),
        "offers of two shops for the same product (Abt-Buy, Amazon-Google)",
        (TEXTS, "hashed words and pairs of words, 256 components"),
        "Apache-2.0 (ditto)",
        shared=(features, texts(cache, "offers_y", y)),
    )


def _rows(data, name):
    import pyarrow.parquet as parquet

    return parquet.read_table(data / "product-linkage" / f"{name}.parquet").to_pylist()

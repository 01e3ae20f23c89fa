"""German sentences and their English: two encoders without a common space."""

import numpy as np
from few_pairs.encoded import TEXTS, hashed, texts
from few_pairs.protocol import Field

LANGUAGE = "deu"


def load(data, cache):
    import pyarrow.parquet as parquet

    rows = parquet.read_table(data / "tatoeba-part" / "sentences.parquet").to_pylist()
    rows = [row for row in rows if row["language"] == LANGUAGE]
    return Field(
        hashed([row["text"] for row in rows], analyzer="char_wb", ngrams=(2, 4)),
        texts(cache, "sentences", [row["english"] for row in rows]),
        np.array([row["text"] for row in rows]),
        "German sentences and their English (Tatoeba)",
        ("hashed n-grams of 2 to 4 letters, 256 components", TEXTS),
        "CC BY 2.0 FR",
    )

"""German sentences and their English: two encoders without a common space."""

import numpy as np
from few_pairs.encoded import TEXTS, english, hashed, texts
from few_pairs.protocol import Field


def load(data, cache):
    german, translated = english(data, "deu")
    return Field(
        hashed(german, analyzer="char_wb", ngrams=(2, 4)),
        texts(cache, "sentences", translated),
        np.array(german),
        "German sentences and their English (Tatoeba)",
        ("hashed n-grams of 2 to 4 letters, 256 components", TEXTS),
        "CC BY 2.0 FR",
    )

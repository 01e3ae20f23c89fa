"""English sentences by two encoders of equal width and unrelated spaces."""

import numpy as np
from few_pairs.encoded import TEXTS, e5, english, texts
from few_pairs.protocol import Field


def load(data, cache):
    texts_x, texts_y = english(data, "deu")
    x = texts(cache, "sentences", texts_y)
    y = e5(cache, "sentences", texts_y, "original")
    return Field(
        x,
        y,
        np.array(texts_x),
        "English sentences (Tatoeba) by two unrelated encoders of equal width",
        (TEXTS, "multilingual-e5-small"),
        "CC BY 2.0 FR",
    )

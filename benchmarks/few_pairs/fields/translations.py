"""Hindi sentences and their English, by one multilingual encoder."""

import numpy as np
from few_pairs.encoded import e5, english
from few_pairs.protocol import Field


def load(data, cache):
    texts_x, texts_y = english(data, "hin")
    x = e5(cache, "sentences_hindi", texts_x, "original")
    y = e5(cache, "sentences_of_hindi", texts_y, "original")
    return Field(
        x,
        y,
        np.array(texts_x),
        "Hindi sentences and their English (Tatoeba), by one multilingual encoder",
        ("multilingual-e5-small",) * 2,
        "CC BY 2.0 FR",
        shared=(x, y),
    )

"""Finnish sentences and their English, by one encoder without words of Finnish."""

import numpy as np
from few_pairs.encoded import e5, english
from few_pairs.protocol import Field


def load(data, cache):
    texts_x, texts_y = english(data, "fin")
    x = e5(cache, "sentences_finnish", texts_x, "enpt")
    y = e5(cache, "sentences_of_finnish", texts_y, "enpt")
    return Field(
        x,
        y,
        np.array(texts_x),
        "Finnish sentences and their English (Tatoeba), by one encoder pruned to English",
        ("multilingual-e5-small, pruned",) * 2,
        "CC BY 2.0 FR",
        shared=(x, y),
    )

"""English sentences by an encoder and by one tuned from it."""

import numpy as np
from few_pairs.encoded import e5, english
from few_pairs.protocol import Field


def load(data, cache):
    texts_x, texts_y = english(data, "deu")
    x = e5(cache, "sentences", texts_y, "original")
    y = e5(cache, "sentences", texts_y, "enpt")
    return Field(
        x,
        y,
        np.array(texts_x),
        "English sentences (Tatoeba) by an encoder and by one tuned from it",
        ("multilingual-e5-small", "multilingual-e5-small, pruned"),
        "CC BY 2.0 FR",
        shared=(x, y),
    )

"""Icons of Material Design and their names, from the package qtawesome."""

import numpy as np
from few_pairs.encoded import IMAGES, TEXTS, pictures, texts
from few_pairs.protocol import Field

ITEMS = 4000


def load(data, cache):
    from gentle_clip_jax.tasks.icons.data import pictures_and_names

    items = pictures_and_names(ITEMS, seed=0)
    names = [text.removeprefix("an icon of ") for _, text in items]
    return Field(
        pictures(cache, "icons", (image for image, _ in items)),
        texts(cache, "icons", [text for _, text in items]),
        np.array(names),
        "icons and their names (Material Design)",
        (IMAGES, TEXTS),
        "Apache-2.0",
    )

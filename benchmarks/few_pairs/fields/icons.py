"""Icons of Material Design and their names, from the package qtawesome."""

import numpy as np
from few_pairs.encoded import IMAGES, TEXTS, pictures, texts
from few_pairs.protocol import Field

ITEMS = 4000


def load(data, cache):
    from PIL import Image

    from gentle_clip_jax.tasks.icons.data import render_fonts

    icons = render_fonts(224, ["material"])
    row_of = {name: row for row, name in reversed([*enumerate(icons.names)])}
    names = np.random.default_rng(0).permutation(sorted(row_of))[:ITEMS]
    images = (Image.fromarray(255 - icons.images[row_of[name]]) for name in names)
    return Field(
        pictures(cache, "icons", images),
        texts(cache, "icons", [f"an icon of {name}" for name in names]),
        names,
        "icons and their names (Material Design)",
        (IMAGES, TEXTS),
        "Apache-2.0",
    )

"""Heads trained with the CLIP loss of the pairs."""

import functools

from few_pairs.heads import fit_heads

LABEL = "CLIP heads"
COSTLY = True
fit = functools.partial(fit_heads, "clip")

"""Heads trained with the CLIP loss of the pairs."""

import functools

from few_pairs.heads import fit_heads

LABEL = "CLIP heads"
fit = functools.partial(fit_heads, "clip")

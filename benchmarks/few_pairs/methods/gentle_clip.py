"""Heads trained with the Gentle-CLIP loss of pairs and unmatched items."""

import functools

from few_pairs.heads import fit_heads

LABEL = "Gentle-CLIP heads"
COSTLY = True
fit = functools.partial(fit_heads, "gentle_clip")

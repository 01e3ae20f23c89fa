"""Heads trained with CLIP and the pseudo-labels of S-CLIP for unmatched items."""

import functools

from few_pairs.heads import fit_heads

LABEL = "S-CLIP heads"
COSTLY = True
fit = functools.partial(fit_heads, "s_clip")

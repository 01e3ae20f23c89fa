"""Heads trained with the SigLIP loss of the pairs."""

import functools

from few_pairs.heads import fit_heads

LABEL = "SigLIP heads"
COSTLY = True
fit = functools.partial(fit_heads, "siglip")

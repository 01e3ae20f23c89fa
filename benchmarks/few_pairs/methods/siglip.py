"""Heads trained with the SigLIP loss of the pairs."""

import functools

from few_pairs.heads import fit_heads

LABEL = "SigLIP heads"
fit = functools.partial(fit_heads, "siglip")

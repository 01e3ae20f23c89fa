"""Relative representations: cosines to the pairs (ASIF)."""

import functools

from few_pairs.package import fit_method

LABEL = "relative representations (ASIF)"
fit = functools.partial(fit_method, "relative")

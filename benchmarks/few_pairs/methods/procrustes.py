"""Orthogonal Procrustes of the pairs."""

import functools

from few_pairs.package import fit_method

LABEL = "Procrustes"
fit = functools.partial(fit_method, "procrustes")

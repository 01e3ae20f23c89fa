"""Gentle transport as shipped: with a plan, without, or CCA, as held-out pairs decide."""

import functools

from few_pairs.package import fit_method

LABEL = "gentle transport (or CCA)"
fit = functools.partial(fit_method, "gentle_transport")

"""CCA of the pairs; cross-validation chooses the shrinkage."""

import functools

from few_pairs.package import fit_method

LABEL = "CCA, shrunk"
fit = functools.partial(fit_method, "cca")

"""Ridge regression of the pairs; cross-validation chooses the shrinkage."""

import functools

from few_pairs.package import fit_method

LABEL = "ridge regression"
fit = functools.partial(fit_method, "ridge")

"""Features as they are, of fields whose modalities share a space."""

import functools

from few_pairs.package import fit_method

LABEL = "the space of the features"
ONE_SPACE = True
fit = functools.partial(fit_method, "joint")

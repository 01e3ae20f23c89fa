"""The space of the features, moved by pairs and unmatched items as held-out pairs decide."""

import functools

from few_pairs.package import fit_method

LABEL = "the same space, adapted"
ONE_SPACE = True
fit = functools.partial(fit_method, "joint_adapted")

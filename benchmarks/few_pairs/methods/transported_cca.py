"""CCA refitted to optimal transport between the unmatched items."""

import functools

from few_pairs.package import fit_method

LABEL = "transported CCA"
fit = functools.partial(fit_method, "transported_cca")

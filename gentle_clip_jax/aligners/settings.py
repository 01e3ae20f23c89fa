"""Settings of the closed forms: the one place for every number that a method or its refits use.

Cross-validation, forecasts of time and the refits of a review are lighter than the final fit: their
settings are here too, beside those that they replace.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cca:
    """Canonical correlation analysis.

    dim: of the joint space, at most. power: how much a direction counts by its correlation.
    """

    dim: int = 128
    power: float = 0.5


@dataclasses.dataclass(frozen=True)
class Shrinkage:
    """Choice of the shrinkage by held-out pairs.

    candidates: to choose from. few_pairs: shrinkage where no pair can be held out. many_pairs:
    from so many pairs on two folds are enough.
    """

    candidates: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    few_pairs: float = 10.0
    many_pairs: int = 1500


@dataclasses.dataclass(frozen=True)
class Procrustes:
    """Orthogonal Procrustes. dim: of the joint space, at most."""

    dim: int = 128


@dataclasses.dataclass(frozen=True)
class Relative:
    """Relative representations: an item as its similarities to the items of the pairs.

    kept: number of greatest similarities; the others become 0. power: exponent of a similarity;
    a high one gives the nearest pairs most of the weight.
    """

    kept: int = 800
    power: float = 8.0


@dataclasses.dataclass(frozen=True)
class Transport:
    """Transported CCA, in terms of s = scale / (scale + number of pairs).

    rounds: number of times that the plan is made anew. epsilon: of the entropic plan, in units of
    the cost. iterations: of Sinkhorn's algorithm. scale: see s. mix, mix_few: weight mix +
    mix_few s of the unmatched items. shrinkage, shrinkage_few: shrinkage + shrinkage_few s.
    pseudo_pairs: weight of thought-up partners, in units of s. dim, power: see `Cca`.

    Between large sets the last rounds take as many items in one plan as two cores can in minutes;
    of its iterations two come near ten (docs/results/speed.md): last_items, last_rounds,
    last_iterations.
    """

    rounds: int = 8
    epsilon: float = 0.02
    iterations: int = 10
    scale: float = 250
    mix: float = 0.5
    mix_few: float = 0.3
    shrinkage: float = 1.0
    shrinkage_few: float = 1.5
    pseudo_pairs: float = 0.3
    last_items: int = 131_072
    last_rounds: int = 2
    last_iterations: int = 2
    dim: int = Cca.dim
    power: float = Cca.power


@dataclasses.dataclass(frozen=True)
class TransportedCca:
    """The method transported_cca. shrinkage: factor on that of the pairs, as covariances of all
    items need less: a third did best on validation items."""

    rounds: int = 4
    mix: float = 0.5
    shrinkage: float = 1 / 3


@dataclasses.dataclass(frozen=True)
class GentleTransport:
    """Gentle transport, beside `Transport`.

    neighbours: weight of the mean of an item's neighbours, in units of s. neighbour_count: number
    of neighbours. within: weight of the scatter of an item's rows. few_pairs: below so many pairs
    covariances are shrunk most. few_dimensions: in so few a few pairs alone fix a map, and the
    mean of neighbours blurs the features. bank_bytes: size of the rows among which neighbours are
    sought, at most.
    """

    neighbours: float = 0.8
    neighbour_count: int = 10
    within: float = 0.5
    few_pairs: int = 60
    few_dimensions: int = 64
    bank_bytes: int = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class JointAdapted:
    """The method joint_adapted: ridge regression that shrinks towards the identity.

    shrinkages: to choose from, the strongest first, which is chosen among equals. The settings of
    its transport are those of `Transport`.
    """

    shrinkages: tuple[float, ...] = Shrinkage.candidates[::-1]


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """Fits without the held-out pairs, lighter than the final one.

    rounds: of transport. dimensions: principal components. unmatched: unmatched items of each
    modality that a fit takes. distractors: further ones, among which partners are found.
    """

    rounds: int = 3
    dimensions: int = 256
    unmatched: int = 1000
    distractors: int = 1000


@dataclasses.dataclass(frozen=True)
class Extrapolation:
    """From the recall of fits without the held-out pairs to that of the fit to all pairs.

    The log odds of recall rise by a slope times the log of the ratio of the numbers of pairs, and
    differ from this by `spread` times that log (a standard deviation). slope: of methods without a
    plan. planned: of methods with a plan, whose final fit also has more rounds, components and
    unmatched items. Chosen on draws for choosing, see docs/results/few_pairs_benchmark.md.
    """

    slope: float = 0.6
    planned: float = 1.1
    spread: float = 0.8


@dataclasses.dataclass(frozen=True)
class Review:
    """Refits during a review, quick enough to be made while a person goes on.

    rounds: of transport. dimensions: leading directions of each modality. own_dimensions: those
    that tell items of one modality apart. unmatched: unmatched items of each modality in a plan.
    """

    rounds: int = 5
    dimensions: int = 256
    own_dimensions: int = 64
    unmatched: int = 2000

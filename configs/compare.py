"""Every key of a comparison on frozen features; other compare configs override these."""

import ml_collections


def get_config(base):
    """The settings that all fields share; a field names its data."""
    config = ml_collections.ConfigDict()
    config.title = ""
    config.features = "features"  # folder of SET/{images,captions,classes} by gentle-clip encode
    config.train = ()  # sets whose split "train" gives the pairs; retrieval is on "val" or "test"
    config.zero_shot = ()  # sets to classify, as SET:SPLIT; SET: is all of it
    config.excluded_labels = ()  # classes that are left out
    config.evaluate = "test"  # or validation, to choose by
    config.unmatched = "shuffled"  # or disjoint, shifted: how the other items lose their partner
    config.pairs = (0.01, 0.03, 0.1, 1.0)  # up to 1 a fraction of the items, above that a number
    config.seeds = (0, 1, 2)
    config.methods = (
        "cca",
        "procrustes",
        "ridge",
        "relative",
        "clip",
        "siglip",
        "hard_pl",
        "soft_pl",
        "s_clip",
        "cauchy_schwarz",
        "gentle_clip_official",
        "gentle_clip",
        "plan_matching",
        "transported_cca",
        "gentle_transport",
        "gentle_clip_warm",
    )
    return config.lock()

"""Every key once, with its unit and where its value comes from; other configs override these."""

import ml_collections


def get_config(field: str = "icons") -> ml_collections.ConfigDict:
    """Gentle-CLIP in its stable form; `field` says which data, views and towers there are."""
    config = ml_collections.ConfigDict()
    config.field = field  # a module of gentle_clip_jax/fields
    # Of weights, batches, views, dropout, and of which training items are matched pairs.
    config.seed = 0

    config.update(_FIELDS[field]())
    config.model.embedding_dim = 256  # method: arXiv 2406.05766, public demo
    config.model.head_dropout = 0.1  # as above

    config.loss = loss = ml_collections.ConfigDict()
    loss.form = "stable"  # or "official": losses/gentle_clip.py, losses/official.py
    loss.clip_weight = 1.0
    loss.mmd_weight = 0.1
    loss.sdd_weight = 1.0
    loss.ssl_weight = 1.0
    loss.ssl_temperature = 0.1
    loss.sdd_bandwidth = 0.5  # in units of the rows' root mean squared distance; arXiv 2406.05766
    loss.temperature = 0.07  # where it starts; Radford et al., arXiv 2103.00020
    loss.learn_temperature = True

    config.optimizer = opt = ml_collections.ConfigDict()
    opt.tower_rate = 2e-3  # peak learning rates
    opt.head_rate = 2e-3
    opt.weight_decay = 0.1
    opt.max_grad_norm = 1.0
    opt.warmup_steps = 100

    config.train = train = ml_collections.ConfigDict()
    train.steps = 1000
    train.batch_matched = 64  # pairs
    train.batch_unmatched = 64  # items of each modality
    train.microbatches = 1  # parts of a batch that the towers see one at a time
    train.average_decay = 0.98  # of the moving average of the weights that is evaluated
    train.keep_start = False  # whether the start is validated, and kept if nothing is better
    train.log_every = 20  # steps
    train.checkpoint_every = 200  # steps; validates too

    return config.lock()


def _icons() -> dict:
    """Icon search: glyphs and the words of their names, towers from scratch."""
    data = {
        "split_seed": 0,  # of the held-out stems, apart from `seed`: seeds share a test set
        "matched_fraction": 0.1,  # of the training items of the matched domain
        "num_test": 700,  # items
        "num_validation": 300,  # items
        "num_classes": 40,  # zero-shot classes: the most frequent head words
        "vocab_size": 1500,  # byte-pair tokens
        "max_tokens": 12,  # a text; the longest training name has 11
        "size": 32,  # pixels, height and width
    }
    image_views = {
        "zoom": 0.3,  # largest |log zoom|
        "shift": 3.0,  # largest shift, pixels
        "erase": 0.5,  # probability of losing a rectangle
        "outline": 0.3,  # probability of keeping outlines alone
        "stroke": 0.7,  # largest change of a stroke's border, pixels
    }
    image_tower = {
        "patch_size": 8,  # pixels
        "stem_width": 64,
        "width": 128,
        "depth": 2,
        "num_heads": 4,
        "dropout": 0.1,
    }
    model = {
        "image": image_tower,
        "text": {"width": 128, "depth": 0, "num_heads": 4, "dropout": 0.1},
        "dtype": "float32",  # of the towers' products; bfloat16 pays on TPU and GPU
    }
    # drop: probability of losing a token
    return {"data": data, "views": {"image": image_views, "text": {"drop": 0.0}}, "model": model}


_FIELDS = {"icons": _icons}

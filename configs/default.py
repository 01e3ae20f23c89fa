"""Every key once, with its unit and where its value comes from; other configs override these."""

import ml_collections


def get_config(task: str = "icons") -> ml_collections.ConfigDict:
    """Gentle-CLIP in its stable form; `task` says which data, views and towers there are."""
    config = ml_collections.ConfigDict()
    config.task = task  # a folder of gentle_clip_jax/tasks
    # What is minimised, of gentle_clip_jax/objectives.py: gentle_clip, gentle_clip_official, clip,
    # siglip, hard_pl, soft_pl, s_clip, plan_matching or cauchy_schwarz.
    config.objective = "gentle_clip"
    # Of weights, batches, views, dropout, and of which training items are matched pairs.
    config.seed = 0

    config.model = model = ml_collections.ConfigDict()
    model.embedding_dim = 256  # method: arXiv 2406.05766, public demo
    model.head_dropout = 0.1  # as above
    model.dtype = "float32"  # of the towers' products; bfloat16 pays on TPU and GPU

    config.loss = loss = ml_collections.ConfigDict()
    # Of gentle_clip and gentle_clip_official; other objectives do not read the first six.
    loss.clip_weight = 1.0
    loss.mmd_weight = 0.1
    loss.sdd_weight = 1.0
    loss.ssl_weight = 1.0
    loss.ssl_temperature = 0.1
    loss.sdd_bandwidth = 0.5  # in units of the rows' root mean squared distance; arXiv 2406.05766
    loss.temperature = 0.07  # where it starts; Radford et al., arXiv 2103.00020
    loss.learn_temperature = True

    config.optimizer = opt = ml_collections.ConfigDict()
    opt.tower_learning_rate = 2e-3  # peak learning rates
    opt.head_learning_rate = 2e-3
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
    train.max_skipped = 0  # steps whose loss or gradient is not finite, before the run stops
    train.max_damaged = 0  # items that cannot be read, before the run stops
    train.log_every = 20  # steps
    train.checkpoint_every = 200  # steps; validates too

    config.update(_TASKS[task]())
    # Devices that share the parameters and the optimizer's state; the rest repeat them.
    config.mesh = {"fsdp": 1}

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
    }
    # drop: probability of losing a token
    return {"data": data, "views": {"image": image_views, "text": {"drop": 0.0}}, "model": model}


_TRAINED = {
    "trained_blocks": 2,  # of the last, with all that follows them; 0: none, -1: all
    "lora_rank": 0,  # of updates of the kernels below; 0: none (arXiv 2106.09685)
    "lora_kernels": "query|value",  # a pattern of their paths
}


def _captioned_images() -> dict:
    """Photographs and captions: pretrained towers, of which the last blocks are trained."""
    data = {
        "folder": "data",  # of a folder for each set: images and metadata.jsonl (docs/data.md)
        "sets": (),  # whose split "train" is learned from, and whose "val" and "test" are searched
        # In place of sets, all three: images, and texts that need not be theirs, each a folder or
        # a file; and a CSV of the pairs that are known, an image's id and a text's a line.
        "images": "",
        "texts": "",
        "pairs": "",
        "zero_shot": (),  # sets to classify, as SET:SPLIT; SET: is all of it
        "excluded_labels": (),  # classes that are left out
        "prompt": "a photo of a {label}",  # of a class
        "matched_fraction": 0.1,  # of the training items of sets; a file of pairs names its own
        "size": 128,  # pixels, height and width
        "max_tokens": 32,  # a caption
    }
    image_views = {
        "crop": 0.3,  # largest share of the area that is cut off
        "stretch": 0.0,  # largest |log of the change of width to height|
        "flip": 0.5,  # probability that left and right change places
        "vertical_flip": 0.0,  # and top and bottom
        "turn": 0.0,  # probability of a turn by right angles
        "blur": 0.0,  # largest standard deviation, pixels
        "brightness": 0.2,  # largest relative change
        "contrast": 0.2,
        "saturation": 0.0,
        "hue": 0.0,  # largest turn of colours, degrees
        "grey": 0.0,  # probability of losing all colour
    }
    model = {
        # Or a folder, or a Hugging Face repo.
        "image": {"encoder": "efficientnet-lite0", **_TRAINED},
        "text": {"encoder": "minilm", **_TRAINED},
        "start": "transported_cca",  # of the heads: or cca, identity, random
    }
    views = {"image": image_views, "text": {"drop": 0.0}}
    # Weights that are good already are moved a little and not for long.
    optimizer = {"tower_learning_rate": 1e-4, "head_learning_rate": 1e-4, "warmup_steps": 20}
    train = {"steps": 200, "checkpoint_every": 50, "keep_start": True}
    return {
        "data": data,
        "views": views,
        "model": model,
        "optimizer": optimizer,
        "train": train,
    }


def _proteins() -> dict:
    """Protein sequences and structures: towers from scratch that work residue by residue."""
    data = {
        "folder": "data/pdb-domains-3d",  # or "" and both of the following
        "fasta": "",  # a file of sequences
        "structures": "",  # a folder of PDB and mmCIF files; an id that both have makes a pair
        "pairs": "",  # or a CSV, a sequence's id and a structure's a line: these are the pairs
        "matched_fraction": 0.1,  # of the training domains; a file of pairs names its own
        "unmatched": "shuffled",  # or disjoint: no unmatched item has its partner in the other set
        "window": 96,  # residues of a training item
        "crop": 64,  # residues of a view, and of what is retrieved
        "stride": 32,  # residues from a window to the next
        "most_neighbours": 40,  # of a residue
        "cutoff": 12.0,  # largest distance of a neighbour, Angstrom
    }
    views = {
        "sequence": {"mask": 0.1},  # probability that a residue is hidden
        # noise: standard deviation of coordinates, Angstrom; mask: as above, of a string's states
        "structure": {"noise": 0.1, "mask": 0.1},
    }
    model = {
        "embedding_dim": 32,  # of a residue, and of the summary of all
        "sequence": {"width": 64, "depth": 1, "reach": 3, "dropout": 0.2},
        "structure": {"width": 64, "depth": 1, "dropout": 0.2},
        # A published one for sequences in place of the above: a folder, or a Hugging Face repo.
        "language": {"encoder": "", **_TRAINED, "trained_blocks": 0},
        "start": "transported_cca",  # of the summaries' maps: or cca, random
    }
    loss = {
        "temperature": 0.02,  # a row is the mean of many residues
        "residue_weight": 1.0,
        "residue_temperature": 0.3,
    }
    # language_learning_rate: of what is trained of a published tower
    optimizer = {
        "tower_learning_rate": 3e-3,
        "head_learning_rate": 1e-4,
        "language_learning_rate": 1e-3,
        "warmup_steps": 30,
    }
    train = {"steps": 300, "batch_matched": 16, "batch_unmatched": 16, "checkpoint_every": 150}
    return {
        "data": data,
        "views": views,
        "model": model,
        "loss": loss,
        "optimizer": optimizer,
        "train": train,
    }


_TASKS = {"icons": _icons, "captioned_images": _captioned_images, "proteins": _proteins}

"""What each key of a config may be: its limits and its unit, all in one place.

`configs/default.py` says what the keys mean. What keys ask of each other is in `training/check.py`
and in the `check` of each task.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_collections
from flax import traverse_util

_MOST = 10**9  # of steps, residues, ...
_LETTERS = 1000  # of a text
_SHOWN = 60  # letters of a wrong value


class Limit(NamedTuple):
    """Values from `low` to `high`, both included unless it is said otherwise.

    kind: int; float, of which whole numbers are some; bool; str; or tuple, of texts. unit: of a
    number what it counts or measures, of a text what it names. below: whether `high` itself is too
    much. above: whether `low` itself is too little.
    """

    kind: type
    unit: str
    low: float = -math.inf
    high: float = math.inf
    below: bool = False
    above: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a key may have this value."""
        if self.kind is tuple:
            return isinstance(value, (tuple, list)) and all(
                isinstance(one, str) and one.strip() and len(one) <= _LETTERS for one in value
            )
        if self.kind is str:
            return isinstance(value, str) and len(value) <= _LETTERS
        if self.kind is bool:
            return isinstance(value, bool)
        kinds = int if self.kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        if self.kind in (bool, str, tuple):
            kind = {bool: "True or False", str: "a text", tuple: "a tuple of texts"}[self.kind]
            kind += "" if self.kind is bool else f" of up to {_LETTERS} letters"
            return f"{kind} ({self.unit})" if self.unit else kind
        number = "a whole number" if self.kind is int else "a number"
        low = f"above {self.low}" if self.above else f"from {self.low}"
        high = f"to below {self.high}" if self.below else f"to {self.high}"
        return f"{number} {low} {high} ({self.unit})"


def _whole(low: int, high: int, unit: str) -> Limit:
    return Limit(int, unit, low, high)


def _real(low: float, high: float, unit: str) -> Limit:
    return Limit(float, unit, low, high)


def _positive(high: float, unit: str) -> Limit:
    return Limit(float, unit, 0, high, above=True)


_share = _real(0, 1, "a share of all")
_probability = _real(0, 1, "a probability")
_dropout = Limit(float, "a probability", 0, 1, below=True)
_rate = _real(0, 10, "a learning rate")
_weight = _real(0, 1e6, "a weight")
_temperature = _real(0.01, 100, "a temperature")  # CLIP's logit scale ends at 1 / 0.01
_width = _whole(1, 2**16, "features")
_depth = _whole(0, 1000, "blocks")
_seed = _whole(0, 2**32 - 1, "a seed")
_flag = Limit(bool, "")

# Of every task.
SHARED = {
    "task": Limit(str, "the name of a task"),
    "objective": Limit(str, "the name of an objective"),
    "seed": _seed,
    "model.embedding_dim": _width,
    "model.head_dropout": _dropout,
    "model.dtype": Limit(str, "float32 or bfloat16"),
    "loss.clip_weight": _weight,
    "loss.mmd_weight": _weight,
    "loss.sdd_weight": _weight,
    "loss.ssl_weight": _weight,
    "loss.ssl_temperature": _temperature,
    "loss.sdd_bandwidth": _real(1e-3, 1e3, "root mean squared distances of the rows"),
    "loss.temperature": _temperature,
    "loss.learn_temperature": _flag,
    "optimizer.tower_learning_rate": _rate,
    "optimizer.head_learning_rate": _rate,
    "optimizer.weight_decay": _real(0, 10, "a rate of decay"),
    "optimizer.max_grad_norm": _positive(1e9, "the norm of a gradient"),
    "optimizer.warmup_steps": _whole(0, _MOST, "steps"),
    "train.steps": _whole(1, _MOST, "steps"),
    "train.batch_matched": _whole(0, 2**24, "pairs"),
    "train.batch_unmatched": _whole(0, 2**24, "items"),
    "train.microbatches": _whole(1, 2**24, "parts of a batch"),
    "train.average_decay": Limit(float, "a share of the average that is kept", 0, 1, below=True),
    "train.keep_start": _flag,
    "train.max_skipped": _whole(0, _MOST, "steps"),
    "train.max_damaged": _whole(0, _MOST, "items"),
    "train.log_every": _whole(1, _MOST, "steps"),
    "train.checkpoint_every": _whole(1, _MOST, "steps"),
    "mesh.fsdp": _whole(1, 64, "devices"),
}
_MATCHED = {"data.matched_fraction": _share}
_PICTURES = {"data.size": _whole(4, 4096, "pixels"), "data.max_tokens": _whole(1, 4096, "tokens")}


def _trained(tower: str) -> dict[str, Limit]:
    return {
        f"{tower}.encoder": Limit(str, "the name of an encoder or its folder"),
        f"{tower}.trained_blocks": _whole(-1, 1000, "blocks"),
        f"{tower}.lora_rank": _whole(0, 2**16, "a rank"),
        f"{tower}.lora_kernels": Limit(str, "a pattern of paths"),
    }


# Of one task alone, by its name.
OF_TASK: dict[str, dict[str, Limit]] = {
    "icons": _MATCHED
    | _PICTURES
    | {
        "data.split_seed": _seed,
        "data.num_test": _whole(1, _MOST, "items"),
        "data.num_validation": _whole(1, _MOST, "items"),
        "data.num_classes": _whole(1, _MOST, "classes"),
        "data.vocab_size": _whole(3, 10**6, "tokens"),  # two have a meaning of their own
        "views.image.zoom": _real(0, 3, "|log zoom|"),
        "views.image.shift": _real(0, 4096, "pixels"),
        "views.image.erase": _probability,
        "views.image.outline": _probability,
        "views.image.stroke": _real(0, 1, "pixels"),
        "views.text.drop": _dropout,
        "model.image.patch_size": _whole(4, 4096, "pixels"),
        "model.image.stem_width": _width,
    }
    | {
        f"model.{tower}.{key}": limit
        for tower in ("image", "text")
        for key, limit in {
            "width": _width,
            "depth": _depth,
            "num_heads": _whole(1, 2**16, "heads"),
            "dropout": _dropout,
        }.items()
    },
    "captioned_images": _MATCHED
    | _PICTURES
    | {
        "data.folder": Limit(str, "a folder"),
        "data.sets": Limit(tuple, "the names of data sets"),
        "data.images": Limit(str, "a folder or a file of images"),
        "data.texts": Limit(str, "a folder or a file of texts"),
        "data.pairs": Limit(str, "a file"),
        "data.zero_shot": Limit(tuple, "each SET:SPLIT"),
        "data.excluded_labels": Limit(tuple, "the names of classes"),
        "data.prompt": Limit(str, "with {label} in it"),
        "views.image.crop": Limit(float, "a share of the area", 0, 1, below=True),
        "views.image.stretch": _real(0, 3, "|log of width to height|"),
        "views.image.blur": _real(0, 4096, "pixels"),
        "views.image.hue": _real(0, 180, "degrees"),
        "views.text.drop": _dropout,
        "model.start": Limit(str, "the name of a start"),
    }
    | {f"views.image.{key}": _probability for key in ("flip", "vertical_flip", "turn", "grey")}
    | {
        f"views.image.{key}": _real(0, 1, "a relative change")
        for key in ("brightness", "contrast", "saturation")
    }
    | _trained("model.image")
    | _trained("model.text"),
    "proteins": _MATCHED
    | {
        "data.folder": Limit(str, "a folder"),
        "data.fasta": Limit(str, "a file"),
        "data.structures": Limit(str, "a folder"),
        "data.pairs": Limit(str, "a file"),
        "data.unmatched": Limit(str, "shuffled or disjoint"),
        "data.window": _whole(4, _MOST, "residues"),
        "data.crop": _whole(4, 10**5, "residues"),
        "data.stride": _whole(1, _MOST, "residues"),
        "data.most_neighbours": _whole(1, 10**4, "residues"),
        "data.cutoff": _positive(1e4, "Angstrom"),
        "views.sequence.mask": _dropout,
        "views.structure.mask": _dropout,
        "views.structure.noise": _real(0, 100, "Angstrom"),
        "model.sequence.reach": _whole(0, 1000, "residues"),
        "model.start": Limit(str, "the name of a start"),
        "loss.residue_weight": _weight,
        "loss.residue_temperature": _temperature,
        "optimizer.language_learning_rate": _rate,
    }
    | {
        f"model.{tower}.{key}": limit
        for tower in ("sequence", "structure")
        for key, limit in {"width": _width, "depth": _depth, "dropout": _dropout}.items()
    }
    | _trained("model.language"),
}


def check(config: ml_collections.ConfigDict) -> None:
    """Refuses keys that are missing, and values beyond their limits or of another kind.

    Keys that are not listed here, as those of a user's own task are, must be finite if numbers.

    Raises:
      ValueError: names the key, its limits and its value.
    """
    values = traverse_util.flatten_dict(config.to_dict(), sep=".")
    limits = SHARED | OF_TASK.get(str(values.get("task")), {})
    if missing := [key for key in limits if key not in values]:
        raise ValueError(
            f"The config has no key config.{missing[0]}: begin it with get_config() of "
            "gentle_clip_jax.configs.default, which has all keys."
        )
    _check_values(values, limits)


def _check_values(values: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
    for key, value in values.items():
        limit = limits.get(key)
        if limit is None and isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"config.{key} must be a finite number, not {value}.")
        if limit is not None and not limit.allows(value):
            raise ValueError(f"config.{key} must be {limit}, not {_shown(value)}.")


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

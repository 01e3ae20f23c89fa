"""Captioned images measured: pretrained towers trained on few pairs and much else, three seeds.

    python benchmarks/captioned_images.py remote_sensing --config.data.folder=data [--seeds 0 1 2]

The first argument is a config: remote_sensing or vision_language. Each training is a process of its
own that goes on where it was stopped, so the command can be killed and run again. Writes
docs/results/CONFIG.json. Arguments it does not know go to every training.
"""

import sys

import training
from published import publish
from training import CLIP, CLIP_SSL, NO_MMD, NO_SDD, NO_SSL

from gentle_clip_jax.tasks.config import load_config

CONFIGS = ("remote_sensing", "vision_language")
# The forms and weights of the paper's public demo.
DEMO = load_config(training.ROOT / "configs" / "icons_official.py").loss
OFFICIAL = tuple(f"--config.loss.{key}={value}" for key, value in DEMO.items())


def variants(config: str) -> training.Variants:
    """What is compared, by name: label, config, overrides."""
    return {
        "gentle_clip": ("Gentle-CLIP, transported start", config, ()),
        "clip": ("CLIP, CCA start", config, (*CLIP, "--config.model.start=cca")),
        "clip_random": ("CLIP, random heads", config, (*CLIP, "--config.model.start=random")),
        "all_pairs": (
            "CLIP, all pairs (ceiling)",
            config,
            (*CLIP, "--config.model.start=cca", "--config.data.matched_fraction=1.0"),
        ),
        "clip_transported": ("CLIP, transported start", config, CLIP),
        "clip_ssl_pairs": ("CLIP + SSL, pairs only, transported start", config, CLIP_SSL),
        "official": ("Gentle-CLIP, the paper's forms and weights", config, OFFICIAL),
        "without_ssl": ("Gentle-CLIP without SSL", config, (NO_SSL,)),
        "without_mmd": ("Gentle-CLIP without MMD", config, (NO_MMD,)),
        "without_sdd": ("Gentle-CLIP without SDD", config, (NO_SDD,)),
    }


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in CONFIGS:
        sys.exit(f"Say which config to measure first: {' or '.join(CONFIGS)}.")
    config = sys.argv.pop(1)
    content, folder = training.run_all(
        "captioned_images", __doc__.partition("\n")[0], variants(config), name=config
    )
    publish(config, content, folder)


if __name__ == "__main__":
    main()

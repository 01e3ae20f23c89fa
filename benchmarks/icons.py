"""Icon search measured: Gentle-CLIP, CLIP on the pairs alone, the official form, the ablations.

    python benchmarks/icons.py [--only NAME] [--seeds 0 1 2] [--out runs/icons_benchmark]

Each training is a process of its own that goes on where it was stopped, so the command can be
killed and run again. Writes docs/results/icons.json. Arguments it does not know go to
every training: --config.train.steps=2.
"""

import training
from published import publish
from training import NO_MMD, NO_SDD, NO_SSL

# Name: what the tables call it, its config, its overrides.
VARIANTS = {
    "gentle_clip": ("Gentle-CLIP", "icons", ()),
    "clip_only": ("CLIP, pairs only", "icons_clip", ()),
    "all_pairs": (
        "CLIP, all pairs, 3,000 steps (ceiling)",
        "icons_clip",
        ("--config.data.matched_fraction=1.0", "--config.train.steps=3000"),
    ),
    "official": ("Gentle-CLIP, official form", "icons_official", ()),
    "without_ssl": ("Gentle-CLIP without SSL", "icons", (NO_SSL,)),
    "without_mmd": ("Gentle-CLIP without MMD", "icons", (NO_MMD,)),
    "without_sdd": ("Gentle-CLIP without SDD", "icons", (NO_SDD,)),
    "clip_ssl": ("CLIP + SSL", "icons", (NO_MMD, NO_SDD)),
    "clip_ssl_pairs": ("CLIP + SSL, pairs only", "icons", training.CLIP_SSL),
    "clip_mmd": ("CLIP + MMD", "icons", (NO_SDD, NO_SSL)),
    "clip_sdd": ("CLIP + SDD", "icons", (NO_MMD, NO_SSL)),
}


def main() -> None:
    content, folder = training.run_all("icons", __doc__.partition("\n")[0], VARIANTS)
    publish("icons", content, folder)


if __name__ == "__main__":
    main()

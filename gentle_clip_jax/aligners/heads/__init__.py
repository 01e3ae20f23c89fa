"""Projection heads on frozen features, trained for any objective in one compiled loop."""

from gentle_clip_jax.aligners.heads.refined import Refined as Refined
from gentle_clip_jax.aligners.heads.settings import Settings as Settings
from gentle_clip_jax.aligners.heads.training import Trained as Trained
from gentle_clip_jax.aligners.heads.training import fit as fit
from gentle_clip_jax.losses.objectives import OBJECTIVES as OBJECTIVES
from gentle_clip_jax.losses.objectives import Embedded as Embedded
from gentle_clip_jax.losses.objectives import Objective as Objective

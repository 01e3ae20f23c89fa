"""Projection heads on frozen features, trained for any objective in one compiled loop."""

from gentle_clip_jax.head_training.objectives import OBJECTIVES as OBJECTIVES
from gentle_clip_jax.head_training.objectives import Embedded as Embedded
from gentle_clip_jax.head_training.objectives import Objective as Objective
from gentle_clip_jax.head_training.training import Settings as Settings
from gentle_clip_jax.head_training.training import Trained as Trained
from gentle_clip_jax.head_training.training import fit as fit

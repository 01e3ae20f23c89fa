"""Aligners without gradients: linear maps of frozen features, fitted in seconds."""

from gentle_clip_jax.aligners.closed_form.cca import Maps as Maps
from gentle_clip_jax.aligners.closed_form.cca import cca as cca
from gentle_clip_jax.aligners.closed_form.gentle import Smoothed as Smoothed
from gentle_clip_jax.aligners.closed_form.procrustes import procrustes as procrustes
from gentle_clip_jax.aligners.closed_form.relative import Anchors as Anchors
from gentle_clip_jax.aligners.closed_form.relative import relative as relative
from gentle_clip_jax.aligners.closed_form.ridge import ridge as ridge
from gentle_clip_jax.aligners.closed_form.shrinkage import chosen_shrinkage as chosen_shrinkage
from gentle_clip_jax.aligners.closed_form.shrinkage import shrunk_cca as shrunk_cca
from gentle_clip_jax.aligners.closed_form.transported import transported_cca as transported_cca
from gentle_clip_jax.aligners.closed_form.zero_pairs import named_classes as named_classes
from gentle_clip_jax.aligners.problem import Features as Features

"""Aligners without gradients: linear maps of frozen features, fitted in seconds."""

from gentle_clip_jax.closed_form.cca import Maps as Maps
from gentle_clip_jax.closed_form.cca import cca as cca
from gentle_clip_jax.closed_form.problem import Problem as Problem

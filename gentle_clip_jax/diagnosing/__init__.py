"""Diagnosis before training: figures of two sets of features that predict their use."""

from gentle_clip_jax.diagnosing.diagnosis import Diagnosis as Diagnosis
from gentle_clip_jax.diagnosing.measures import diagnosis_of as diagnosis_of
from gentle_clip_jax.diagnosing.read import diagnose as diagnose

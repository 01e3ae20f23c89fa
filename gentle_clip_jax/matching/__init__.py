"""Matches of unmatched items, with calibrated probabilities."""

from gentle_clip_jax.matching.by_ids import match as match
from gentle_clip_jax.matching.calibrated_scores import CalibratedScores as CalibratedScores
from gentle_clip_jax.matching.from_scores import calibrate as calibrate
from gentle_clip_jax.matching.match import match_arrays as match_arrays
from gentle_clip_jax.matching.matched import MatchedCollections as MatchedCollections
from gentle_clip_jax.matching.matches import Matches as Matches
from gentle_clip_jax.matching.written import write as write

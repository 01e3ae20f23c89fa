"""Losses on embeddings: pure functions of arrays that import only jax, and ott-jax for transport.

Notation, the same everywhere: x [n, d] and y [m, d] are embeddings of two modalities, rows of
unit length (`pairwise.normalize`); where_x [n] and where_y [m] are masks of valid rows; x_view
[n, d] is a second view of the same items; temperature is tau; bandwidth is h or sigma. Every loss
returns a float32 scalar, or float64 for float64 input, and sees the global batch: call it as it is
under jit with rows sharded over a mesh, and through `over_axis` inside a shard_map. A static
block_size bounds memory: None chooses a size, 0 keeps all pairs in one array. In float32, values
and gradients are finite for numbers up to 1e15 whose squares sum to less than 1e38.
"""

from gentle_clip_jax.losses import official as official
from gentle_clip_jax.losses import pairwise as pairwise
from gentle_clip_jax.losses.cauchy_schwarz import (
    cauchy_schwarz_divergence as cauchy_schwarz_divergence,
)
from gentle_clip_jax.losses.contrastive import clip_loss as clip_loss
from gentle_clip_jax.losses.contrastive import nt_xent_loss as nt_xent_loss
from gentle_clip_jax.losses.contrastive import sigmoid_loss as sigmoid_loss
from gentle_clip_jax.losses.density import kernel_density as kernel_density
from gentle_clip_jax.losses.density import semantic_density_loss as semantic_density_loss
from gentle_clip_jax.losses.gentle_clip import gentle_clip_loss as gentle_clip_loss
from gentle_clip_jax.losses.mmd import bandwidth_ladder as bandwidth_ladder
from gentle_clip_jax.losses.mmd import multi_kernel_mmd as multi_kernel_mmd
from gentle_clip_jax.losses.pairwise import over_axis as over_axis
from gentle_clip_jax.losses.pseudo_label import hard_labels as hard_labels
from gentle_clip_jax.losses.pseudo_label import keyword_loss as keyword_loss
from gentle_clip_jax.losses.pseudo_label import pseudo_label_loss as pseudo_label_loss
from gentle_clip_jax.losses.pseudo_label import soft_labels as soft_labels
from gentle_clip_jax.losses.pseudo_label import transport_labels as transport_labels
from gentle_clip_jax.losses.transport import plan_matching_loss as plan_matching_loss
from gentle_clip_jax.losses.transport import transport_plan as transport_plan

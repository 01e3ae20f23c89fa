"""The interface of a task: its data, its towers, its metrics and the words for its items."""

import pathlib
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import ml_collections
import numpy as np

from gentle_clip_jax.data.batches import Batch, Dataset, Items
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.evaluation.intervals import Interval
from gentle_clip_jax.losses.objectives import Objective, Terms
from gentle_clip_jax.tasks.raw import Modality, Raw
from gentle_clip_jax.tasks.rows import Rows


class Task(Protocol):
    """The module `task` of a folder in tasks/. Nothing outside of that folder knows its domain."""

    @property
    def MODALITIES(self) -> tuple[str, str]:
        """The names of an item of x and of an item of y, in the singular."""
        ...

    @property
    def HEADLINE(self) -> str:
        """The figure of `validate` by which checkpoints are chosen; the higher, the better."""
        ...

    @property
    def TYPED(self) -> Modality:
        """The modality whose items a user can type: embedding takes a list of strings of it."""
        ...

    def check(self, config: ml_collections.ConfigDict) -> None:
        """Raise ValueError, in one sentence, where the config contradicts itself."""

    def load_data(self, config: ml_collections.ConfigDict, workdir: pathlib.Path) -> Dataset:
        """Return training and evaluation items; slow results are cached in workdir/cache."""
        ...

    def build_model(self, config: ml_collections.ConfigDict, dataset: Dataset) -> TwoTowers:
        """The towers and heads."""
        ...

    def init_params(
        self, config: ml_collections.ConfigDict, dataset: Dataset, model: TwoTowers
    ) -> Any:
        """The parameters that training starts from, a function of the config and the data."""
        ...

    def views(
        self, key: jax.Array, batch: Batch, config: ml_collections.ConfigDict
    ) -> tuple[Any, Any]:
        """A random view of each item of a batch as the towers take it, matched rows first."""
        ...

    def loss(
        self,
        rows: Rows,
        temperature: jax.Array,
        objective: Objective,
        settings: Mapping[str, Any],
        model: TwoTowers,
    ) -> tuple[jax.Array, Terms]:
        """The objective of a batch's embeddings and its unweighted terms; settings: config.loss."""
        ...

    def validate(self, model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, float]:
        """Figures on the validation items, shares from 0 to 1, `HEADLINE` among them."""
        ...

    def evaluate(self, model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, Interval]:
        """Figures on the test items, with their intervals."""
        ...

    def embed_x(self, model: TwoTowers, params: Any, dataset: Dataset, items: Any) -> np.ndarray:
        """Unit rows [n, d] of n items of x, as the data set holds them or as a user has them."""
        ...

    def embed_y(self, model: TwoTowers, params: Any, dataset: Dataset, items: Any) -> np.ndarray:
        """Likewise of y."""
        ...

    def test_items(self, dataset: Dataset) -> tuple[Items, Items]:
        """x and y of the test items, one row of each an item, for `embed_x` and `embed_y`."""
        ...

    def pictures(self, dataset: Dataset) -> np.ndarray:
        """The test items, uint8 [n, height, width] or [n, height, width, 3], for the report."""
        ...

    def read(
        self,
        config: ml_collections.ConfigDict,
        dataset: Dataset,
        modality: Modality,
        path: pathlib.Path,
    ) -> Raw:
        """A user's own items of x or of y, from a file or a folder.

        Raises:
          ValueError: there are no such items.
        """
        ...

"""Interface of a task: its data, its towers, its metrics and the names of its modalities."""

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
    """Interface of the module `task` in each folder of tasks/; only that folder knows its data."""

    @property
    def MODALITIES(self) -> tuple[str, str]:
        """Name of one item of x and of one item of y, such as image and text."""
        ...

    @property
    def HEADLINE(self) -> str:
        """Name of the `validate` metric that chooses the best checkpoint; higher is better."""
        ...

    @property
    def TYPED(self) -> Modality:
        """Modality whose items can be typed: its embedding function takes a list of strings."""
        ...

    def check(self, config: ml_collections.ConfigDict) -> None:
        """Raise ValueError, in one sentence, if keys of the config contradict each other."""

    def load_data(self, config: ml_collections.ConfigDict, workdir: pathlib.Path) -> Dataset:
        """Return the training and evaluation items; slow steps are cached in workdir/cache."""
        ...

    def build_model(self, config: ml_collections.ConfigDict, dataset: Dataset) -> TwoTowers:
        """Return the towers and heads."""
        ...

    def init_params(
        self, config: ml_collections.ConfigDict, dataset: Dataset, model: TwoTowers
    ) -> Any:
        """Return the initial parameters, a function of the config and the data."""
        ...

    def views(
        self, key: jax.Array, batch: Batch, config: ml_collections.ConfigDict
    ) -> tuple[Any, Any]:
        """Return inputs of the towers: a random view of each item of a batch, matched first."""
        ...

    def loss(
        self,
        rows: Rows,
        temperature: jax.Array,
        objective: Objective,
        settings: Mapping[str, Any],
        model: TwoTowers,
    ) -> tuple[jax.Array, Terms]:
        """Return the loss of a batch's embeddings and its unweighted terms by config.loss."""
        ...

    def validate(self, model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, float]:
        """Return metrics of the validation items, each in [0, 1], `HEADLINE` among them."""
        ...

    def evaluate(self, model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, Interval]:
        """Return metrics of the test items, with their intervals."""
        ...

    def embed_x(self, model: TwoTowers, params: Any, dataset: Dataset, items: Any) -> np.ndarray:
        """Return unit rows [n, d] of n items of x, from the data set or of a user."""
        ...

    def embed_y(self, model: TwoTowers, params: Any, dataset: Dataset, items: Any) -> np.ndarray:
        """Return unit rows [m, d] of m items of y likewise."""
        ...

    def test_items(self, dataset: Dataset) -> tuple[Items, Items]:
        """Return x and y of the test items, row by row, for `embed_x` and `embed_y`."""
        ...

    def pictures(self, dataset: Dataset) -> np.ndarray:
        """Return pictures of the test items, uint8 [n, height, width] or [n, height, width, 3]."""
        ...

    def read(
        self,
        config: ml_collections.ConfigDict,
        dataset: Dataset,
        modality: Modality,
        path: pathlib.Path,
    ) -> Raw:
        """Return a user's own items of one modality, from a file or a folder.

        Raises:
          ValueError: the path has no such items.
        """
        ...

"""Captioned images: x are images, y captions; pretrained towers, heads fitted before training."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gentle_clip_jax import evaluation
from gentle_clip_jax.data.batches import Batch, Dataset, Items, Pairs
from gentle_clip_jax.data.metadata import splits_of
from gentle_clip_jax.data.published_tokens import read_tokenizer
from gentle_clip_jax.encoders.fine_tuning import FineTuned
from gentle_clip_jax.encoders.heads import ProjectionHead, RefinedMap
from gentle_clip_jax.encoders.published import pretrained
from gentle_clip_jax.encoders.two_towers import TwoTowers
from gentle_clip_jax.tasks.captioned_images import data, listed, start
from gentle_clip_jax.tasks.captioned_images.data import Classified
from gentle_clip_jax.tasks.captioned_images.views import rgb_views
from gentle_clip_jax.tasks.check_keys import check_trained
from gentle_clip_jax.tasks.embedding import of_images, of_texts
from gentle_clip_jax.tasks.raw import Modality, Raw, images_in, texts_in
from gentle_clip_jax.tasks.rows import loss as loss

Role = Literal["image", "text"]

MODALITIES = ("image", "text")
HEADLINE = "mean_recall"
TYPED = "y"
_ROLES: tuple[Role, Role] = ("image", "text")


def check(config: ml_collections.ConfigDict) -> None:
    """Raise ValueError if keys contradict each other or the keys of an encoder are invalid."""
    places = (config.data.images, config.data.texts, config.data.pairs)
    if any(places) == bool(config.data.sets) or any(places) != all(places):
        raise ValueError(
            "Set either config.data.sets, the data sets to train on, or all three of "
            "config.data.images, config.data.texts and config.data.pairs."
        )
    if not config.data.folder and (config.data.sets or config.data.zero_shot):
        raise ValueError("config.data.folder is empty: give the folder of the data sets.")
    splits_of(config.data.zero_shot, "config.data.zero_shot")
    for role in _ROLES:
        check_trained(config.model[role], f"config.model.{role}")


def load_data(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> Dataset:
    """Return the dataset of config.data.sets, or of config.data.images, texts and pairs."""
    tokens = read_tokenizer(pretrained.folder(config.model.text.encoder))
    settings = dict(config.data)
    most = settings.pop("max_tokens")
    sets, fraction = (settings.pop(name) for name in ("sets", "matched_fraction"))
    places = [pathlib.Path(settings.pop(name)) for name in ("images", "texts", "pairs")]
    if sets:
        folder = pathlib.Path(config.data.folder)
        items = listed.of_sets(folder, sets, fraction, seed=config.seed)
    else:
        items = listed.of_two_places(*places, seed=config.seed)
    return data.load_data(lambda texts: tokens(texts, most), workdir / "cache", items, **settings)


def build_model(config: ml_collections.ConfigDict, dataset: Dataset) -> TwoTowers:
    """Return the published towers, and heads that suit config.model.start."""
    dim, dropout = config.model.embedding_dim, config.model.head_dropout
    if config.model.start == "random":
        heads = (ProjectionHead(dim, dropout) for _ in range(2))
    else:
        heads = (RefinedMap(dim, dropout, standardize=True) for _ in range(2))
    towers = (_tower(config, role) for role in ("image", "text"))
    return TwoTowers(*towers, *heads, init_temperature=config.loss.temperature)


def _tower(config: ml_collections.ConfigDict, role: Role) -> FineTuned:
    settings = dict(config.model[role])
    model: Any = _load(settings.pop("encoder"), role).model
    if hasattr(model, "dtype"):
        model = model.clone(dtype=jnp.dtype(config.model.dtype))
    return FineTuned(model, **settings)


@functools.lru_cache(maxsize=2)
def _load(encoder: str, role: Role) -> pretrained.Pretrained:
    return pretrained.load(encoder, role=role)


def init_params(config: ml_collections.ConfigDict, dataset: Dataset, model: TwoTowers) -> Any:
    """Return the published weights of the towers, and heads initialised by config.model.start."""
    rows = {
        "x": jnp.asarray(dataset.validation.x[:1]),
        "y": jnp.asarray(dataset.validation.y[:1, 0]),
    }
    params: Any = {"log_scale": -jnp.log(jnp.float32(config.loss.temperature))}
    for key, name, role in zip(jax.random.split(jax.random.key(config.seed)), "xy", _ROLES):
        lora_key, head_key = jax.random.split(key)
        tower, head = getattr(model, f"{name}_tower"), getattr(model, f"{name}_head")
        published = jax.tree.map(jnp.asarray, _load(config.model[role].encoder, role).params)
        params[f"{name}_tower"] = tower.parts(lora_key, published)
        features = jax.eval_shape(tower.apply, {"params": params[f"{name}_tower"]}, rows[name])
        zeros = jnp.zeros(features.shape, features.dtype)
        params[f"{name}_head"] = head.init(head_key, zeros)["params"]
    if config.model.start == "random":
        return params
    if config.model.start == "identity":
        return start.identity(params)
    # Cached, since the towers are slow and every command needs these parameters.
    path = dataset.metadata.cache / "start.npz"
    of = start.digest([config.data.to_dict(), config.model.to_dict()], params, dataset)
    if (cached := start.load(path, params, of)) is not None:
        return cached
    start.save(path, start.from_pairs(model, params, dataset, config.model.start), of)
    return start.load(path, params, of)


def views(
    key: jax.Array, batch: Batch, config: ml_collections.ConfigDict
) -> tuple[jax.Array, jax.Array]:
    """Return a random view of each image and a random caption of each text, matched rows first."""
    image_key, choice_key = jax.random.split(key)
    images = jnp.concatenate([part["x"] for part in batch.values()]).astype(jnp.float32)
    captions = jnp.concatenate([part["y"] for part in batch.values()])
    chosen = jax.random.randint(choice_key, captions.shape[:1], 0, captions.shape[1])
    tokens = jnp.take_along_axis(captions, chosen[:, None, None], axis=1)[:, 0]
    return rgb_views(image_key, images, **config.views.image), tokens


def validate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, float]:
    """Return retrieval and zero-shot metrics of the validation splits, each a mean over sets."""
    retrieved, classified = _measure(
        model,
        params,
        dataset.validation,
        dataset.metadata.validation_sources,
        dataset.metadata.validation,
        evaluation.retrieval_metrics,
        evaluation.zero_shot_metrics,
    )
    return evaluation.means(retrieved) | evaluation.means(classified)


def evaluate(model: TwoTowers, params: Any, dataset: Dataset) -> dict[str, Any]:
    """Return the same metrics of the test splits with intervals: means over sets, and each set's.

    The interval of a mean assumes independent sets.
    """
    retrieved, classified = _measure(
        model,
        params,
        dataset.test,
        dataset.metadata.test_sources,
        dataset.metadata.test,
        evaluation.retrieval_intervals,
        evaluation.zero_shot_intervals,
    )
    means = evaluation.mean_intervals(retrieved) | evaluation.mean_intervals(classified)
    return means | evaluation.by_set(retrieved) | evaluation.by_set(classified)


def embed_x(model: TwoTowers, params: Any, dataset: Dataset, items: Items) -> np.ndarray:
    """Return the unit rows [n, d] of images, uint8 [n, size, size, 3]."""
    return of_images(model, params, items, "embed_x")


def embed_y(
    model: TwoTowers, params: Any, dataset: Dataset, items: np.ndarray | Sequence[str]
) -> np.ndarray:
    """Return the unit rows [n, d] of texts, or of their token ids [n, t]."""
    tokens = items if isinstance(items, np.ndarray) else dataset.metadata.encode(items)
    return of_texts(model, params, tokens, "embed_y")


def test_items(dataset: Dataset) -> tuple[Items, np.ndarray]:
    """Return the test images and the first caption of each."""
    return dataset.test.x, dataset.test.y[:, 0]


def pictures(dataset: Dataset) -> np.ndarray:
    """Return the test items' images, uint8 [n, size, size, 3]."""
    return dataset.test.x[:]


def read(
    config: ml_collections.ConfigDict, dataset: Dataset, modality: Modality, path: pathlib.Path
) -> Raw:
    """Return a user's own images or texts."""
    if modality == "x":
        return images_in(path, config.data.size)
    return texts_in(path, dataset.metadata.encode)


def _measure(
    model: TwoTowers,
    params: Any,
    items: Pairs,
    sources: np.ndarray,
    classified: dict[str, Classified],
    retrieval: Any,
    zero_shot: Any,
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the metrics of each set, by a retrieval and a zero-shot evaluation."""
    n, k, _ = items.y.shape
    x = of_images(model, params, items.x, "embed_x")
    y = of_texts(model, params, items.y.reshape(n * k, -1), "embed_y").reshape(n, k, -1)
    retrieved = {}
    for name in dict.fromkeys(sources.tolist()):
        rows = np.flatnonzero(sources == name)
        ids = np.repeat(rows, k)
        retrieved[name] = retrieval(
            x[rows], y[rows].reshape(len(rows) * k, -1), image_ids=rows, text_ids=ids
        )
    figures = {}
    for name, one in classified.items():
        images = of_images(model, params, one.images, "embed_x")
        classes = of_texts(model, params, one.classes, "embed_y")
        figures[name] = zero_shot(images, classes, one.labels)
    return retrieved, figures

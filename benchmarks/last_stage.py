"""Does training the image encoder's last stage on the pairs beat the maps that it starts from?

    python benchmarks/last_stage.py --features=features --data=data --cache=stages
        [--pairs 104 1041] [--seeds 10 11 12 13 14]

Writes last_stage.md and last_stage.json; of numbers of pairs and seeds that are not run, what the
JSON has is kept. What the stage before the last makes of each image, at 224 pixels, is computed
once and kept in the folder stages/. Then the last stage, the head and a map of either side train by
CLIP's loss from a closed form of the same pairs. Validation items alone are looked at.
"""

import argparse
import functools
import itertools
import pathlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import further_ideas as further  # noqa: E402
from negative import table, with_kept  # noqa: E402

from gentle_clip_jax.aligners import METHODS, Aligner, Problem  # noqa: E402
from gentle_clip_jax.compare import measure, pool  # noqa: E402
from gentle_clip_jax.compare.sources import pool_of  # noqa: E402
from gentle_clip_jax.config import load_config  # noqa: E402
from gentle_clip_jax.data import embeddings, images  # noqa: E402
from gentle_clip_jax.encoders.efficientnet_lite import Block, ConvNorm, blocks  # noqa: E402
from gentle_clip_jax.encoders.published import pretrained  # noqa: E402
from gentle_clip_jax.files import write_text, writing  # noqa: E402
from gentle_clip_jax.progress import track  # noqa: E402
from gentle_clip_jax.runs.log import machine  # noqa: E402

SETS = ("rsicd", "ucm-captions")
LAST = len([*blocks()]) - 1  # the number of the last block, a stage of its own
STARTS = {"shrinkage CCA": "cca", "gentle transport": "gentle_transport"}
LEARNING_RATES = (1e-5, 1e-4)
STEPS, BATCH, PER_BLOCK = 60, 128, 32
UNMATCHED = 3000  # of each modality, for gentle transport, as in negative.py


class LastStage(nn.Module):
    """What the stage before leaves [b, 7, 7, 192] -> the encoder's features [b, 1280]."""

    @nn.compact
    def __call__(self, x):
        features, size, stride, expansion = [*blocks()][LAST]
        x, _ = Block(features, size, stride, expansion, name=f"block_{LAST}")(x)
        return nn.relu6(ConvNorm(1280, name="head")(x)).mean(axis=(1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--features", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the images' data sets")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder of what is kept")
    parser.add_argument("--pairs", type=int, nargs="+", default=[104, 1041])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs" / "results")
    args = parser.parse_args()
    options = [f"--config.features={args.features}", "--config.evaluate=validation"]
    items = pool_of(load_config("compare_remote_sensing", options))
    stages = Stages(args)
    rows = []
    for pairs, seed in itertools.product(args.pairs, args.seeds):
        problem = pool.draw(items, pairs, seed=seed, unmatched="shuffled")
        rest = problem.unmatched_x[:UNMATCHED], problem.unmatched_y[:UNMATCHED]
        problem = Problem(problem.x, problem.y, *rest)
        for start, method in STARTS.items():
            aligner = METHODS[method].fit(problem, jax.random.key(seed))
            ways: dict[str, Callable] = {start: lambda aligner=aligner: (aligner, items)}
            for rate in LEARNING_RATES:
                ways[after(start, rate)] = functools.partial(
                    trained, aligner, problem, items, stages, rate, seed
                )
            for name, fit in ways.items():
                metrics = measure.summarize(measure.score(*fit()))
                figures = [100 * metrics[metric] for metric in measure.MAIN]
                rows.append({"idea": name, "pairs": pairs, "seed": seed, "figures": figures})
                print(name, pairs, seed, np.round(figures, 1), flush=True)
    publish(rows, args)


def after(start: str, rate: float) -> str:
    return f"{start}, then trained, learning rate {rate:.0e}"


class Stages:
    """What the stage before the last makes of images, which are known by their features."""

    def __init__(self, args: argparse.Namespace):
        self.params = pretrained.efficientnet_lite0().params
        self.of, parts, first = {}, [], 0
        for name in SETS:
            rows = embeddings.read(args.features / name / "images")
            parts.append(kept(args.cache / f"{name}.npy", args.data / name, rows, self.params))
            self.of |= {row.tobytes(): first + n for n, row in enumerate(np.asarray(rows.features))}
            first += len(rows.ids)
        self.rows = np.concatenate(parts)

    def __getitem__(self, features: np.ndarray) -> np.ndarray:
        """[n, 7, 7, 192] of the images with features [n, 1280]."""
        return self.rows[[self.of[row.tobytes()] for row in features]]


def kept(
    path: pathlib.Path, data: pathlib.Path, rows: embeddings.FeatureSet, params: dict
) -> np.ndarray:
    """[n, 7, 7, 192] float16 of a set's images, in the order of their features."""
    if path.exists():
        return np.load(path)
    listed = {image.id: image for image in images.list_images(data, None)}
    model, wanted = pretrained.efficientnet_lite0().model, f"block_{LAST - 1}"

    @jax.jit
    def before_last(pixels):
        _, state = model.apply(
            {"params": params},
            pixels,
            capture_intermediates=lambda module, _: module.name == wanted,
        )
        return state["intermediates"][wanted]["__call__"][0][0]

    found = []
    with ThreadPoolExecutor() as threads:
        for ids in track([*embeddings.blocks_of(rows.ids, PER_BLOCK)], f"stages of {data.name}"):
            pixels = [*threads.map(lambda id_: images.decode(listed[id_].read(), size=224), ids)]
            pixels += [pixels[-1]] * (PER_BLOCK - len(pixels))  # compiled once
            found.append(np.asarray(before_last(np.stack(pixels)), np.float16)[: len(ids)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, "wb") as file:
        np.save(file, np.concatenate(found))
    return np.concatenate(found)


def trained(
    aligner: Aligner, problem: Problem, items: pool.Pool, stages: Stages, rate: float, seed: int
) -> tuple[further.Turned, pool.Pool]:
    """The aligner after training, and the items to measure with features of the trained encoder."""
    features_of = jax.jit(lambda params, x: LastStage().apply({"params": params}, x))
    x = stages[np.asarray(problem.x)[:, 0]]
    y = aligner.embed_y(np.mean(problem.y, axis=1))
    size = y.shape[1]
    theta = {
        "encoder": {name: stages.params[name] for name in (f"block_{LAST}", "head")},
        "maps": (jnp.eye(size), jnp.eye(size)),
    }
    optimizer = optax.adam(rate)
    state = optimizer.init(theta)

    @jax.jit
    def step(theta, state, x, y):
        def loss(theta):
            rows = aligner.embed_x(features_of(theta["encoder"], x.astype(jnp.float32)))
            turned = further.Turned(further.AsTheyAre(), *theta["maps"])
            return further.info_nce(turned.embed_x(rows) @ turned.embed_y(y).T)

        updates, state = optimizer.update(jax.grad(loss)(theta), state)
        return optax.apply_updates(theta, updates), state

    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        some = rng.permutation(len(x))[:BATCH]
        theta, state = step(theta, state, x[some], y[some])

    def embedded(features: np.ndarray) -> np.ndarray:
        parts = embeddings.blocks_of(stages[features], BATCH)
        return np.concatenate([features_of(theta["encoder"], np.float32(part)) for part in parts])

    retrieval = {name: one._replace(x=embedded(one.x)) for name, one in items.retrieval.items()}
    zero_shot = {name: one._replace(x=embedded(one.x)) for name, one in items.zero_shot.items()}
    turned = further.Turned(aligner, *theta["maps"])
    return turned, items._replace(retrieval=retrieval, zero_shot=zero_shot)


def publish(rows: list[dict], args: argparse.Namespace) -> None:
    names = [
        name
        for start in STARTS
        for name in (start, *(after(start, rate) for rate in LEARNING_RATES))
    ]
    figures = with_kept(args.out / "last_stage.json", rows, names, {})
    write_text(args.out / "last_stage.md", page(figures))


def page(figures: dict[tuple[str, int, int], list[float]]) -> str:
    numbers = sorted({pairs for _, pairs, _ in figures})
    seeds = ", ".join(map(str, sorted({seed for *_, seed in figures})))
    names, about = [*dict.fromkeys(name for name, *_ in figures)], machine()
    begun = {name: name.partition(", then")[0] for name in names if ", then" in name}
    lines = [
        "# The image encoder's last stage, trained",
        "",
        f"`python benchmarks/last_stage.py --features=... --data=... --cache=...` on "
        f"{about['cpus']} x {about['processor']}: remote sensing, validation items, seeds {seeds}; "
        "zero-shot / i2t / t2i, per cent, mean over seeds. What the stage before the last makes of "
        "each image is computed once. The last stage of EfficientNet-Lite0, its head and a map of "
        f"either side then train by CLIP's loss on the pairs, {STEPS} steps of Adam on up to "
        f"{BATCH} pairs, from a closed form of the same pairs. *Gain*: how far the sum of the "
        "three is from the start, with the sample standard deviation over the same seeds. Gentle "
        f"transport has {UNMATCHED:,} unmatched items of each modality.",
        "",
        *table(names, figures, numbers, begun),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main()

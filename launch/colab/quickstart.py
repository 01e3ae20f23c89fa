# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Gentle-CLIP in five minutes
#
# Two kinds of data, few known pairs: this notebook shows the two losses that need no pairs at all,
# then trains on icons and their names, and finds icons by words.
#
# Run it top to bottom. A CPU is enough.

# %%
# Installs the package, unless it is there: a wheel beside this notebook, or else the release.
import glob
import importlib
import importlib.util

if None in map(importlib.util.find_spec, ("gentle_clip_jax", "qtawesome")):
    wheels = sorted(glob.glob("gentle_clip_jax-*.whl"))
    package = f"./{wheels[-1]}" if wheels else "gentle-clip-jax"
    # %pip install -q "{package}[quickstart]"
    importlib.invalidate_caches()
    if importlib.util.find_spec("gentle_clip_jax") is None:
        raise SystemExit(
            "gentle_clip_jax is not installed: put its wheel beside this notebook (in a clone, "
            "python -m build writes it to dist), mend what pip says above, and run this cell again."
        )

# %%
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from gentle_clip_jax import load_config, losses, restore, train

# %% [markdown]
# ## Two sets of points move apart
#
# Each point is an item's embedding, a vector of length 1; here it has two numbers, so it lies on a
# circle. Blue is one kind of data, orange the other. **No point is known to belong to another.**
# Both losses only compare the sets:
#
# - **MMD** asks whether the two sets lie in the same place. It is bounded, and steep at first.
# - **SDD** asks whether they are equally dense at every point. It keeps growing, so that even far
#   apart sets are pulled together.


# %%
def on_circle(angles):
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


blue, orange = 0.25 * jax.random.normal(jax.random.key(0), (2, 150))
x = on_circle(blue)


@jax.jit
@jax.vmap
def compare(angle):
    y = on_circle(orange + angle)
    return losses.multi_kernel_mmd(x, y), losses.semantic_density_loss(x, y)


degrees = np.linspace(0, 180, 61)
mmd, sdd = compare(np.deg2rad(degrees).astype(np.float32))

# %%
circle = on_circle(jnp.linspace(0, 2 * jnp.pi, 200))
figure, axes = plt.subplots(
    1, 5, figsize=(15, 3), layout="constrained", width_ratios=[1, 1, 1, 1.6, 1.6]
)
for axis, angle in zip(axes, (0, 45, 150)):
    axis.plot(*circle.T, color="lightgray", linewidth=1, zorder=0)
    for points, color in ((x, "tab:blue"), (on_circle(orange + np.deg2rad(angle)), "tab:orange")):
        axis.scatter(*points.T, s=12, alpha=0.4, color=color, linewidths=0)
    axis.set(title=f"{angle}° apart", aspect="equal")
    axis.axis("off")
for axis, values, name in zip(axes[3:], (mmd, sdd), ("MMD", "SDD")):
    axis.plot(degrees, values, color="tab:green", linewidth=2)
    axis.set(title=name, xlabel="distance of the sets, degrees", xticks=[0, 45, 90, 135, 180])
    axis.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ## Train on icons
#
# Icon fonts carry thousands of pictures with names. One in ten training icons keeps its name; the
# other pictures and the other names come shuffled. 700 icons are held out: their words may be new,
# but never their letters. This is the quickstart with smaller batches and fewer steps.

# %%
config = load_config(
    "icons",
    [
        "--config.train.steps=200",
        "--config.train.batch_matched=96",
        "--config.train.batch_unmatched=32",
        "--config.train.average_decay=0.9",
        "--config.train.log_every=20",
        "--config.train.checkpoint_every=50",
        "--config.optimizer.warmup_steps=20",
    ],
)
workdir = pathlib.Path(tempfile.mkdtemp())
state = train(config, workdir)

# %% [markdown]
# ## Search icons by words
#
# The words and all held-out icons are put into the same space; the five nearest icons are shown.
# A green frame marks an icon whose name shares a word with the search. After so few steps many are
# wrong; the whole training, `./launch/quickstart.sh --towers`, does better.

# %%
run = restore(workdir)
icons = run.dataset.test
rows = run.embed_x(icons.x)


def search(words, num=5):
    """The numbers of the held-out icons nearest to the words, the nearest first."""
    return np.argsort(-rows @ run.embed_y([words])[0])[:num]


def show(*queries):
    figure, axes = plt.subplots(len(queries), 5, figsize=(8, 1.8 * len(queries)), squeeze=False)
    for row, words in zip(axes, queries):
        for axis, item in zip(row, search(words)):
            name = str(icons.names[item])
            found = set(words.split()) & set(name.split())
            axis.imshow(icons.x[item], cmap="gray_r")
            axis.set_title(name, fontsize=8)
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set(color="tab:green" if found else "lightgray", linewidth=3 if found else 1)
        row[0].set_ylabel(words, fontsize=11, rotation=0, ha="right", va="center")
    figure.tight_layout()
    plt.show()


show("account", "file", "battery", "arrow left")

# %% [markdown]
# ## What now?
#
# - Search for something else: `show("phone", "cloud")`.
# - Take terms away: `"--config.loss.sdd_weight=0"` in the list of settings above.
# - Use the losses on your own embeddings: `from gentle_clip_jax import losses` needs only JAX.
# - Align features that you have: `from gentle_clip_jax import Problem, align`.

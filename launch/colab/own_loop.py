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
# # The losses in your own loop
#
# You have a training loop in JAX, few pairs, and many rows that nobody matched. Here CLIP on 48
# pairs is trained beside CLIP with MMD on the same pairs and all other rows, and held-out pairs say
# which is better.

# %%
# Installs the package, unless it is there: a wheel beside this notebook, or else the release.
import glob
import importlib
import importlib.util

if importlib.util.find_spec("gentle_clip_jax") is None:
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
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

from gentle_clip_jax import losses

# %% [markdown]
# ## Data
#
# 1,024 items, each seen twice: through a random map into 48 numbers, and another into 32. The first
# 48 are pairs. Of the next 776 one side is shuffled: they are unmatched. The last 200 are held out.

# %%
keys = jax.random.split(jax.random.key(0), 6)
items = jax.random.laplace(keys[0], (1024, 8)) * jnp.linspace(0.3, 1.5, 8)
noise = 0.3 * jax.random.normal(keys[1], (1024, 80))
x = items @ jax.random.normal(keys[2], (8, 48)) + noise[:, :48]  # [1024, 48], say, of images
y = items @ jax.random.normal(keys[3], (8, 32)) + noise[:, 48:]  # [1024, 32], say, of texts
shuffled = jax.random.permutation(keys[4], y[48:824])
train_x, train_y = x[:824], jnp.concatenate([y[:48], shuffled])
test_x, test_y = x[824:], y[824:]

# %% [markdown]
# ## The loop
#
# Your encoder takes the place of the matrix product. A weight of 0 takes a term out and saves its
# work.


# %%
def embed(weights, features):
    return losses.pairwise.normalize(features @ weights)


def trained(mmd_weight, steps=400):
    """Weights, and what the terms were at each step."""
    optimizer = optax.adam(1e-2)

    def loss(weights):
        rows = embed(weights["x"], train_x), embed(weights["y"], train_y)
        return losses.gentle_clip_loss(
            *rows, num_matched=48, temperature=0.1, mmd_weight=mmd_weight, sdd_weight=0.0
        )

    def step(carry, _):
        weights, state = carry
        (total, terms), gradients = jax.value_and_grad(loss, has_aux=True)(weights)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(weights, updates), state), {"total": total, **terms}

    weights = {
        "x": 0.1 * jax.random.normal(keys[5], (48, 8)),
        "y": 0.1 * jax.random.normal(keys[4], (32, 8)),
    }
    start = weights, optimizer.init(weights)
    (weights, _), history = jax.jit(lambda start: jax.lax.scan(step, start, length=steps))(start)
    return weights, history


def recall(weights, k=5):
    """How often the partner of a held-out row is among the first k of 200."""
    cosines = embed(weights["x"], test_x) @ embed(weights["y"], test_y).T
    better = jnp.sum(cosines > jnp.diag(cosines)[:, None], axis=1)
    return float(jnp.mean(better < k))


# %%
runs = {"CLIP": trained(mmd_weight=0.0), "CLIP + MMD": trained(mmd_weight=2.0)}
for name, (weights, _) in runs.items():
    print(f"{name}: R@5 of held-out pairs {100 * recall(weights):.0f} %")

# %% [markdown]
# ## What the terms did
#
# CLIP looks at the pairs; MMD says how far apart the two sets lie.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
for name, (_, history) in runs.items():
    for axis, term in zip(axes, ("clip", "mmd")):
        if term in history:
            axis.plot(history[term], label=name)
for axis, title in zip(axes, ("CLIP on the pairs", "MMD of the sets")):
    axis.set(title=title, xlabel="step")
    axis.legend()
plt.show()

# %% [markdown]
# ## What now
#
# - Take SDD in: `sdd_weight=0.1`. Take all losses from the page *The losses, one by one*.
# - bfloat16, several devices: the page *The losses in your own loop* has the same loop for both.
# - Measure against CLIP alone with several seeds before you believe a gain, here too.

"""Draws docs/figures/sdd_batch_size.svg: the official and the stable SDD against the batch size.

Two standard normal sets in 16 dimensions, equal or one sigma apart in every dimension; means over
seeds. Prints the figures as a Markdown table. Run: python benchmarks/sdd_batch_size.py
"""

import pathlib

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from gentle_clip_jax import losses

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
DIMENSIONS = 16
FORMS = {"official": losses.official.semantic_density, "stable": losses.semantic_density_loss}
FIGURE = pathlib.Path(__file__).parents[1] / "docs" / "figures" / "sdd_batch_size.svg"


def measure(form: str, n: int) -> np.ndarray:
    """Mean value when equal and one sigma apart, and norm of the gradient in a shift [3]."""

    def one(key: jax.Array) -> jax.Array:
        x, y = jax.random.normal(key, (2, n, DIMENSIONS))

        def apart(shift: jax.Array) -> jax.Array:
            return FORMS[form](x, y + shift)

        equal = apart(jnp.zeros(DIMENSIONS))
        value, gradient = jax.value_and_grad(apart)(jnp.ones(DIMENSIONS))
        return jnp.stack([equal, value, jnp.linalg.norm(gradient)])

    keys = jax.random.split(jax.random.key(n), max(2, 2048 // n))
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys)).mean(axis=0)


def draw(results: dict[str, np.ndarray]) -> None:
    """Left: value and gradient relative to the smallest batch; right: what equal sets cost."""
    plt.rcParams.update({"svg.hashsalt": "sdd", "svg.fonttype": "none"})
    figure, (growth, offset) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for color, (form, (equal, value, slope)) in zip(("tab:red", "tab:blue"), results.items()):
        growth.plot(SIZES, value / value[0], "o-", color=color, label=f"{form}, value")
        growth.plot(SIZES, slope / slope[0], "x--", color=color, label=f"{form}, gradient norm")
        offset.plot(SIZES, equal / value, "o-", color=color, label=form)
    growth.set(yscale="log", title="One sigma apart, relative to N = 64")
    offset.set(title="Equal distributions, relative to one sigma apart")
    offset.axhline(0, color="gray", linewidth=0.8)
    for axes in (growth, offset):
        axes.set_xscale("log", base=2)
        axes.set_xticks(SIZES, labels=[str(n) for n in SIZES])
        axes.set_xlabel("batch size N")
        axes.legend(frameon=False)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Measures both forms, prints the table and draws the figure."""
    results = {form: np.stack([measure(form, n) for n in SIZES], axis=1) for form in FORMS}
    print("| N | " + " | ".join(f"{form}: equal | apart | gradient" for form in FORMS) + " |")
    print("|---|" + "---|" * 3 * len(FORMS))
    for i, n in enumerate(SIZES):
        figures = (f"{x:.4g}" for form in FORMS for x in results[form][:, i])
        print(f"| {n} | " + " | ".join(figures) + " |")
    draw(results)


if __name__ == "__main__":
    main()

"""What `benchmarks/losses.py` measures: each loss in our form, in plain jnp, optax and PyTorch.

The plain forms take `np`, jax.numpy or torch, so that both are the same few lines a user would
write; they mirror the formulas of docs/losses.md without masks, tiles or safety at the edges.
"""

import functools
import importlib.metadata
import math
import pathlib
import platform
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy

TAU, BIAS, BANDWIDTH, RUNGS = 0.05, -10.0, 0.5, 5
# The n x n x d products no form can avoid: x y^T forward, G y and G^T x backward. Within one set
# the forward product is symmetric, and half of it is enough; the backward one is not halved.
PRODUCTS = {"clip": (1, 1, 1), "sigmoid": (1, 1, 1), "nt_xent": (2, 4, 0)}
DISTRIBUTION_PRODUCTS = (2, 3, 1)


def measure(row: dict) -> dict:
    """Measures one row of the table."""
    if row["case"] == "sharded":
        return sharded(row)
    x, y = embeddings(row["n"], row["d"])
    step = torch_step(row["case"], x, y) if row["form"] == "torch" else jax_step(row, x, y)
    peak = peak_above_now(step)
    floor, strips = floor_step(x, y, PRODUCTS.get(row["case"], DISTRIBUTION_PRODUCTS))
    floor()
    ours, bare, start = [], [], time.monotonic()
    while len(ours) < 15 and (not ours or time.monotonic() - start < 20):
        bare.append(seconds(floor))
        ours.append(seconds(step))
    times = {"ms": 1e3 * min(ours), "floor_ms": 1e3 * strips * min(bare), "repetitions": len(ours)}
    return times | {"peak_mib": peak, "versions": versions(row["form"])}


def seconds(step: Callable[[], Any]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def peak_above_now(step: Callable[[], Any]) -> float:
    """Runs a step; the most memory it held above what the process held before, in MiB."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = _status("VmRSS")
    step()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    return int(re.search(rf"{key}:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])


def versions(form: str) -> str:
    names = ("torch", "numpy") if form == "torch" else ("jax", "numpy")
    found = " ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()} {found}"


def embeddings(n: int, d: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    rng = numpy.random.default_rng(0)
    x, y = (shift + rng.standard_normal((n, d), dtype="float32") for shift in (0.0, 0.3))
    return tuple(z / numpy.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))


def floor_step(x, y, counts: tuple[int, int, int]) -> tuple[Callable[[], None], int]:
    """The bare products on a strip of rows of at most 2^24 pairs, and how many strips there are."""
    n = x.shape[0]
    strip = min(n, 2**24 // n)
    x, y = jax.device_put(x), jax.device_put(y)
    products = [
        jax.jit(f) for f in (lambda a, b: a @ b.T, lambda g, b: g @ b, lambda g, a: g.T @ a)
    ]
    g = products[0](x[:strip], y)
    arguments = ((x[:strip], y), (g, y), (g, x[:strip]))

    def step() -> None:
        for product, count, pair in zip(products, counts, arguments):
            for _ in range(count):
                jax.block_until_ready(product(*pair))

    return step, n // strip


def jax_step(row: dict, x, y) -> Callable[[], Any]:
    import jax.numpy as jnp
    import optax

    forms = {
        "ours": functools.partial(ours, row["case"], None),
        "dense": functools.partial(ours, row["case"], 0),
        "jnp": functools.partial(plain, jnp, jax.nn.logsumexp, jax.nn.softplus, row["case"]),
        "optax": lambda x, y: optax.losses.ntxent(
            jnp.concatenate([x, y]), jnp.tile(jnp.arange(len(x)), 2), temperature=TAU
        ),
    }
    x, y = jax.device_put(x), jax.device_put(y)
    step = jax.jit(jax.value_and_grad(forms[row["form"]], argnums=(0, 1))).lower(x, y).compile()
    return lambda: jax.block_until_ready(step(x, y))


def torch_step(case: str, x, y) -> Callable[[], Any]:
    import torch

    loss = functools.partial(
        plain, torch, functools.partial(_torch_logsumexp, torch), torch.nn.functional.softplus, case
    )
    x, y = (torch.tensor(z, requires_grad=True) for z in (x, y))
    small = [z[:8].detach().requires_grad_() for z in (x, y)]
    torch.autograd.grad(loss(*small), small)  # starts its threads
    return lambda: torch.autograd.grad(loss(x, y), (x, y))


def _torch_logsumexp(torch, values, axis: int):
    return torch.logsumexp(values, dim=axis)


def ours(case: str, block_size: int | None, x, y):
    from gentle_clip_jax import losses

    size = {"block_size": block_size}
    return {
        "clip": lambda: losses.clip_loss(x, y, temperature=TAU, **size),
        "sigmoid": lambda: losses.sigmoid_loss(x, y, temperature=TAU, bias=BIAS, **size),
        "nt_xent": lambda: losses.nt_xent_loss(x, y, temperature=TAU, **size),
        "mmd": lambda: losses.multi_kernel_mmd(x, y, **size),
        "sdd": lambda: losses.semantic_density_loss(x, y, bandwidth=BANDWIDTH, **size),
        "objective": lambda: losses.gentle_clip_loss(
            x, y, num_matched=len(x), temperature=TAU, **size
        )[0],
    }[case]()


def plain(np, logsumexp, softplus, case: str, x, y):
    """The loss as a user of np, jax.numpy or torch, would write it."""
    n, eye = len(x), np.eye(len(x))
    if case == "clip":
        logits = x @ y.T / TAU
        return (logsumexp(logits, 1) + logsumexp(logits, 0)).mean() / 2 - np.diag(logits).mean()
    if case == "sigmoid":
        return softplus((1 - 2 * eye) * (x @ y.T / TAU + BIAS)).sum() / n
    if case == "nt_xent":
        z = np.concatenate([x, y]) if np.__name__ != "torch" else np.cat([x, y])
        others = z @ z.T / TAU - 1e9 * np.eye(2 * n)
        return logsumexp(others, 1).mean() - (x * y).sum(1).mean() / TAU
    xx, yy, xy = _distance(x, x), _distance(y, y), _distance(x, y)
    if case == "mmd":
        return _plain_mmd(np, xx, yy, xy)
    if case == "sdd":
        return _plain_sdd(np, logsumexp, x, y, xx, yy, xy)
    clip = plain(np, logsumexp, softplus, "clip", x, y)
    return clip + _plain_mmd(np, xx, yy, xy) + _plain_sdd(np, logsumexp, x, y, xx, yy, xy)


def _distance(x, y):
    return ((x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T).clip(min=0)


def _plain_mmd(np, xx, yy, xy):
    n = len(xx)
    total = xx.sum() + yy.sum() + 2 * xy.sum()
    # The bandwidths count as constants.
    total = total.detach() if hasattr(total, "detach") else jax.lax.stop_gradient(total)
    mean = total / (2 * n * (2 * n - 1))

    def kernel(distance):
        return sum(
            np.exp(-distance / (2 * mean * 2.0 ** (k - (RUNGS - 1) / 2))) for k in range(RUNGS)
        )

    within = (kernel(xx).sum() + kernel(yy).sum() - 2 * n * RUNGS) / (n * (n - 1))
    return (within - 2 * kernel(xy).mean()) / RUNGS


def _plain_sdd(np, logsumexp, x, y, xx, yy, xy):
    n = len(xx)
    variance = [((z - z.mean(0)) ** 2).sum() / (n - 1) for z in (x, y)]
    scale = 2 * BANDWIDTH**2 * (variance[0] + variance[1])
    own, between = -1e9 * np.eye(n), -xy / scale

    def density(exponents, axis, count):
        log_mean = logsumexp(exponents, axis) - math.log(count)
        log_square = logsumexp(2 * exponents, axis) - math.log(count)
        return log_mean, np.expm1(log_square - 2 * log_mean) / (count - 1)

    def divergence(own_density, other_density):
        (p, p_error), (q, q_error) = own_density, other_density
        difference = (np.exp(p) - np.exp(q)) * (p - q)
        return (difference - (np.exp(p) + np.exp(q)) * (p_error + q_error) / 2).mean()

    total = divergence(density(own - xx / scale, 1, n - 1), density(between, 1, n))
    total = total + divergence(density(own - yy / scale, 1, n - 1), density(between, 0, n))
    return total * (1 / (12 * variance[0]) + 1 / (12 * variance[1]))


def sharded(row: dict) -> dict:
    """Temporary memory of one of k devices, and bytes it sends, from the compiled program."""
    from jax.sharding import AxisType, NamedSharding, PartitionSpec

    jax.config.update("jax_num_cpu_devices", row["k"])
    mesh = jax.make_mesh((row["k"],), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    x, y = (jax.device_put(z, rows) for z in embeddings(row["n"], row["d"]))
    loss = functools.partial(ours, "objective", 512)
    program = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(x, y).compile()
    memory = program.memory_analysis().temp_size_in_bytes / 2**20
    sent = sent_bytes(program.as_text(), row["k"]) / 2**20
    return {"memory_mib": memory, "sent_mib": sent, "versions": versions("ours")}


def sent_bytes(text: str, devices: int) -> float:
    """Bytes that one device sends in a compiled program's collectives, loops run through."""
    blocks = re.split(r"\n(?=(?:ENTRY )?%\S+ \()", text)
    # The text begins with what the module is called.
    bodies = {found[1]: b for b in blocks if (found := re.match(r"(?:ENTRY )?%(\S+) \(", b))}
    entry = next(name for name, block in bodies.items() if block.startswith("ENTRY"))
    part = (devices - 1) / devices
    share = {"collective-permute": 1, "all-gather": part, "all-reduce": 2 * part}
    share |= {"reduce-scatter": part * devices, "all-to-all": part}
    width = {"pred": 1, "s32": 4, "f32": 4, "u32": 4}

    def of(name: str) -> float:
        total = 0.0
        for line in bodies[name].splitlines():
            kind = re.search(r" (%s)(?:-start)?\(" % "|".join(share), line)  # noqa: UP031
            if kind:
                for dtype, dims in re.findall(r"(\w+)\[([\d,]*)\]", line.split(kind[0])[0]):
                    count = math.prod(int(n) for n in dims.split(",") if n)
                    total += share[kind[1]] * width[dtype] * count
            trips = re.search(r'known_trip_count":\{"n":"(\d+)"', line)
            for called in re.findall(r"(?:body|to_apply|calls)=%([\w.\-]+)", line):
                total += (int(trips[1]) if trips else 1) * of(called)
        return total

    return of(entry)

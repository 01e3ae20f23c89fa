"""docs/losses.md: its training loop learns in bfloat16 on the default mesh of its devices."""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "losses.md").read_text()
(LOOP,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
TELL = "import json; print(json.dumps([float(terms['total']) for terms in history]))"


@pytest.fixture(scope="module")
def names():
    found = {}
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam multiplies floats by its count
        exec(LOOP, found)
    return found


@pytest.mark.slow
def test_it_learns_on_four_devices_of_the_default_mesh(names):
    assert jax.device_count() == 4
    sharding = names["batch"]["x"].sharding
    assert sharding.mesh.axis_types == (AxisType.Explicit,)
    assert len(sharding.device_set) == 4
    assert not sharding.is_fully_replicated
    first, last = names["history"][0], names["history"][-1]
    assert {*last} == {"total", "clip", "mmd", "sdd"}
    assert last["total"] < 0.5 * first["total"]
    # Not again in every step: once for what it is given first, once for what it returns.
    assert names["step"]._cache_size() <= 2


def test_pairs_find_each_other(names):
    weights, batch = jax.device_get((names["weights"], names["batch"]))
    x, y = (np.asarray(names["embed"](weights[s], batch[s][:64])) for s in "xy")
    assert np.mean(np.argmax(x @ y.T, axis=1) == np.arange(64)) > 0.9


def test_its_encoder_is_in_bfloat16_and_its_rows_in_float32(names):
    weights, features = jax.device_get((names["weights"]["x"], names["batch"]["x"]))
    jaxpr = str(jax.make_jaxpr(names["embed"])(weights, features))
    assert re.search(r"bf16\[512,24\] = dot_general", jaxpr)
    assert names["embed"](weights, features).dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 4])
def test_one_device_and_four_see_the_same_loss(names, devices):
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", LOOP + TELL]
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ | flags)
    assert process.returncode == 0, process.stderr
    totals = json.loads(process.stdout.splitlines()[-1])
    here = [float(terms["total"]) for terms in names["history"]]
    np.testing.assert_allclose(totals[:20], here[:20], rtol=2e-2)  # bfloat16 drifts apart later


def test_without_a_mesh_it_is_the_same(names):
    before, _, tail = LOOP.partition("with jax.set_mesh")
    steps = textwrap.dedent(tail.partition("\n")[2].partition("\nprint")[0])
    for_meshes = r"^(gradient = jax.sharding|\w.* = jax.device_put).*\n"
    plain = re.sub(for_meshes, "", before + steps, flags=re.M)
    assert "auto_axes" not in plain
    assert "device_put" not in plain
    found = {}
    with jax.numpy_dtype_promotion("standard"):
        exec(plain.replace("range(50)", "range(5)"), found)
    assert len(found["history"]) == 5
    for here, there in zip(found["history"], names["history"]):
        np.testing.assert_allclose(here["total"], there["total"], rtol=2e-2)

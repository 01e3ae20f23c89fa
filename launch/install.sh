#!/usr/bin/env bash
# Makes .venv and installs this project into it with extras: launch/install.sh dev,parity
# PYTHON=/path/to/python3 chooses the interpreter.
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
# The stamp of an extra is the pyproject.toml that it was installed from.
for name in "${names[@]}"; do
  if ! cmp -s pyproject.toml ".venv/installed-$name.toml"; then
    echo "Installing gentle-clip-jax[$extras] into .venv: one or two minutes the first time"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
    for done in "${names[@]}"; do cp pyproject.toml ".venv/installed-$done.toml"; done
    break
  fi
done

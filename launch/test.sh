#!/usr/bin/env bash
# Runs the tests: launch/test.sh [--slow] [arguments of pytest]
# --slow runs the long ones too. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
marker="not slow"
if [[ ${1:-} == --slow ]]; then
  shift
  marker="slow or not slow"
fi
launch/install.sh dev
# Each worker, and each process that tests start, would compile all that it imports once more.
unset PYTHONDONTWRITEBYTECODE

echo "Running the tests marked '$marker'"
# Two at a time: each takes about one core, and up to 4 GB. The first files are those that took
# longest the last time: see tests/conftest.py.
.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$marker" "$@"

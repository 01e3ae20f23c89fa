#!/usr/bin/env bash
# Part of the check before a release: known weaknesses in what is installed, by pip-audit.
# Needs the network. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/install.sh dev
.venv/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
.venv/bin/python -m pip_audit --local --skip-editable

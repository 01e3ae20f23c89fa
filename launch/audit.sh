#!/usr/bin/env bash
# Known weaknesses in what is installed, by pip-audit: part of .ci/run and of the check before a release.
# Needs the network. Ends with 1 if there are some, and with 3 if they cannot be asked for from here.
# PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/install.sh dev
# In an environment of its own, so that what it needs changes no version of ours.
if [[ ! -x .venv/audit/bin/pip-audit ]]; then
  .venv/bin/python -m venv .venv/audit
  .venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
fi
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
audit=(.venv/audit/bin/pip-audit --format json --progress-spinner off --timeout 30)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# One package first: a registry that does not answer would not answer for the others either.
echo "pip==23.2.1" >"$folder/one.txt"
"${audit[@]}" --no-deps --disable-pip --requirement "$folder/one.txt" --output "$folder/one.json" \
  >"$folder/said" 2>&1 || true
if [[ ! -s $folder/one.json ]] || grep -q skip_reason "$folder/one.json"; then
  echo "No audit: from here the registry does not say what weaknesses are known."
  exit 3
fi
"${audit[@]}" --path "$site" --skip-editable --output "$folder/all.json" >"$folder/said" 2>&1 || true
.venv/bin/python launch/audited.py "$folder/all.json"

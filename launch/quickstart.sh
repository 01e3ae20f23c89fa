#!/usr/bin/env bash
# Trains Gentle-CLIP on icon search, beside CLIP on the same few pairs, and compares the two.
# Arguments override keys of both configs: launch/quickstart.sh --config.train.steps=100
# Run again, it goes on where it was stopped. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
launch/install.sh quickstart

for name in icons icons_clip; do
  echo "Training $name in runs/$name"
  .venv/bin/gentle-clip train --config="$name" --workdir="runs/$name" "$@"
done
echo "Measuring both runs on the icons held out for the test"
.venv/bin/gentle-clip evaluate --workdir=runs/icons_clip >/dev/null
.venv/bin/gentle-clip evaluate --workdir=runs/icons --compare=runs/icons_clip
report=$(.venv/bin/gentle-clip report --workdir=runs/icons --compare=runs/icons_clip)
echo "The report, for a browser: $PWD/$report"

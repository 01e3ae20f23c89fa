#!/usr/bin/env bash
# Trains with several processes on this machine: launch/local_processes.sh [--dry-run] K ARGUMENTS
# ARGUMENTS are those of gentle-clip train. GENTLE_CLIP names another command, PORT another port.
# What process I says is in WORKDIR/process_I.log; the first speaks here.
set -euo pipefail

dry=
if [[ ${1:-} == --dry-run ]]; then
  dry=yes
  shift
fi
if [[ ! ${1:-} =~ ^[1-9][0-9]*$ || $# -lt 2 ]]; then
  echo "Say how many processes, then the arguments of gentle-clip train:" \
    "$0 2 --config=icons --workdir=runs/icons" >&2
  exit 2
fi
count=$1
shift
workdir=
for argument in "$@"; do
  if [[ $argument == --workdir=* ]]; then workdir=${argument#--workdir=}; fi
done
if [[ -z $workdir ]]; then
  echo "Give --workdir=DIR, in one word." >&2
  exit 2
fi
read -r -a command <<<"${GENTLE_CLIP:-gentle-clip}"
# What one process compiles, later runs need not; on CPUs JAX keeps what the first compiles alone.
export JAX_COMPILATION_CACHE_DIR=${JAX_COMPILATION_CACHE_DIR:-$workdir/cache/compiled}
port=${PORT:-$((20000 + RANDOM % 20000))}

processes=()
# shellcheck disable=SC2329 # the trap calls it
stop() { kill -TERM "${processes[@]}" 2>/dev/null || true; }
trap stop INT TERM
for ((id = 0; id < count; id++)); do
  run=("${command[@]}" train "$@" "--coordinator=localhost:$port" "--num-processes=$count"
    "--process-id=$id")
  if [[ -n $dry ]]; then
    printf '%q ' "${run[@]}"
    echo
  elif ((id)); then
    mkdir -p "$workdir"
    "${run[@]}" >"$workdir/process_$id.log" 2>&1 &
    processes+=($!)
  else
    "${run[@]}" &
    processes+=($!)
  fi
done
status=0
for process in ${processes[@]+"${processes[@]}"}; do
  code=0
  wait "$process" || code=$?
  # A signal to this script ends the wait, not the process.
  while kill -0 "$process" 2>/dev/null; do
    code=0
    wait "$process" || code=$?
  done
  if ((code && !status)); then status=$code; fi
done
exit "$status"

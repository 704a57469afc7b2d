#!/usr/bin/env bash
# The cluster that demo and tests run on: kind everywhere, or with CLUSTER=current
# the one of the user's current context, which is asked for first.
#   cluster/kind.sh up               create it, or do nothing when it is there
#   cluster/kind.sh down             remove it and all that it left
#   cluster/kind.sh kubeconfig       print the path of its kubeconfig
#   cluster/kind.sh load IMAGE...    bring images from the Docker daemon to its nodes
#   cluster/kind.sh gpu N            let the node offer N nvidia.com/gpu
# CLUSTER_NAME, API_PORT and STORE_PORT (on loopback) may be set.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
CLUSTER=${CLUSTER:-kind}
NAME=${CLUSTER_NAME:-playerscore}
NODE=$NAME-control-plane
CONFIG=$CACHE/kubeconfig-$([ "$CLUSTER" = current ] && echo current || echo "$NAME")
API_PORT=${API_PORT:-30080}
STORE_PORT=${STORE_PORT:-30090}
export PATH=$BIN:$PATH

kube() { kubectl --kubeconfig "$CONFIG" "$@"; }

# ready SECONDS: tried again and again, since a server that only starts refuses at once.
ready() {
  local end=$((SECONDS + $1))
  [ -f "$CONFIG" ] || return 1
  until kube --request-timeout=5s wait --for=condition=Ready node --all --timeout=5s >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}

exists() { kind get clusters 2>/dev/null | grep -qx "$NAME"; }
cgroup_v1() { [ "$(docker info -f '{{.CgroupVersion}}')" = 1 ]; }
lacks_sys_resource() { docker info -f '{{.DefaultRuntime}}' | grep -qx limited; }

# settings: kind's configuration, with patches only where the machine needs them.
settings() {
  cat <<EOF
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings:
  - {containerPort: 30080, hostPort: $API_PORT, listenAddress: 127.0.0.1}
  - {containerPort: 30090, hostPort: $STORE_PORT, listenAddress: 127.0.0.1}
EOF
  if cgroup_v1 || lacks_sys_resource; then echo "containerdConfigPatches:"; fi
  # Without the capability runc cannot lower a sandbox's OOM score.
  if lacks_sys_resource; then
    cat <<EOF
- |-
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
EOF
  fi
  # On cgroup v1 the systemd driver leaves frozen containers behind now and then.
  if cgroup_v1; then
    cat <<EOF
- |-
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
  cgroupDriver: cgroupfs
EOF
  fi
}

up() {
  local begin=$SECONDS image
  "$CLUSTER_DIR/tools.sh" kind kubectl helm
  use_docker
  if exists; then
    docker start "$NODE" >/dev/null 2>&1 || true
    if ready 60; then return; fi
    say "the cluster '$NAME' does not answer and is made anew"
    kind delete cluster --name "$NAME" --kubeconfig "$CONFIG" >&2
  fi
  image=$("$CLUSTER_DIR/../images/kind-node/build.sh")
  check_port "$API_PORT" API_PORT
  check_port "$STORE_PORT" STORE_PORT
  create "$image"
  say "the cluster '$NAME' is ready after $((SECONDS - begin)) s; kubeconfig: $CONFIG"
}

check_port() {
  if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then die "port $1 is in use: set $2 to another"; fi
}

create() {
  say "creating the cluster '$NAME' (about 30 s)"
  settings >"$CACHE/kind-$NAME.yaml"
  logged "kind-create-$NAME" kind create cluster --name "$NAME" --image "$1" \
    --config "$CACHE/kind-$NAME.yaml" --kubeconfig "$CONFIG" --wait 180s
  ready 60 || die "the node did not become ready, see $LOGS/kind-create-$NAME.log"
}

down() {
  eval "$("$CLUSTER_DIR/docker.sh" env)"
  if [ -x "$BIN/kind" ] && exists; then
    say "removing the cluster '$NAME' (about 3 s)"
    logged "kind-delete-$NAME" kind delete cluster --name "$NAME" --kubeconfig "$CONFIG"
  fi
  rm -f "$CONFIG" "$CACHE/kind-$NAME.yaml"
  if [ -n "${DOCKER_HOST:-}" ] && [ -z "$(docker ps -q 2>/dev/null)" ]; then
    "$CLUSTER_DIR/docker.sh" down || true # somebody else builds: theirs to end
  fi
}

# load IMAGE...: an image that the node already has is not sent again.
load() {
  use_docker
  local image id known=() missing=()
  mapfile -t known < <(docker exec "$NODE" cat /kind/loaded 2>/dev/null || true)
  for image; do
    id=$(docker image inspect -f '{{.Id}}' "$image") || die "no image '$image' here"
    if ! printf '%s\n' "${known[@]}" | grep -qxF "$image $id"; then missing+=("$image $id"); fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "loading ${missing[*]%% *} into the cluster (about 10 s each)"
  logged "kind-load-$NAME" kind load docker-image --name "$NAME" "${missing[@]%% *}"
  printf '%s\n' "${missing[@]}" | docker exec -i "$NODE" tee -a /kind/loaded >/dev/null
}

# gpu N: as a device plugin would report it. No device is behind it.
gpu() {
  [[ ${1:-} =~ ^[0-9]+$ ]] || die "usage: cluster/kind.sh gpu N"
  local node count=null
  [ "$1" = 0 ] || count="\"$1\""
  node=$(kube get nodes -o name | head -n 1)
  kube patch "$node" --subresource=status --type=merge -p \
    "{\"status\":{\"capacity\":{\"nvidia.com/gpu\":$count},\"allocatable\":{\"nvidia.com/gpu\":$count}}}" >&2
}

# The user's own cluster: asked for, never changed but by what is installed into it.
current_up() {
  "$CLUSTER_DIR/tools.sh" kubectl helm
  local context answer
  context=$(kubectl config current-context) || die "there is no current context"
  if [ "${CLUSTER_YES:-}" != 1 ]; then
    [ -t 0 ] || die "CLUSTER=current would use '$context': set CLUSTER_YES=1 to agree"
    read -rp "Install into the cluster of context '$context'? [y/N] " answer
    [[ $answer == [yY] ]] || die "stopped; nothing was changed"
  fi
  (umask 077 && kubectl config view --minify --flatten --raw >"$CONFIG")
}

case $CLUSTER:${1:-} in
  current:up) current_up ;;
  current:down) rm -f "$CONFIG" ;;
  current:load) die "images cannot be loaded into CLUSTER=current: push them to a registry it reads" ;;
  current:gpu) die "CLUSTER=current keeps its nodes as they are" ;;
  kind:up) up ;;
  kind:down) down ;;
  kind:load) shift && load "$@" ;;
  kind:gpu) gpu "${2:-}" ;;
  *:kubeconfig) echo "$CONFIG" ;;
  *) die "usage: [CLUSTER=current] cluster/kind.sh up|down|kubeconfig|load IMAGE...|gpu N" ;;
esac

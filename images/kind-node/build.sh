#!/usr/bin/env bash
# Prints the name of the node image for kind: the published one where it can be
# pulled, otherwise one made here from Go modules and Debian packages.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../cluster/common.sh"
HERE=$CLUSTER_DIR/../images/kind-node
PROGRAMS=(containerd containerd-shim-runc-v2 ctr kubelet kubeadm kubectl)
PLUGINS=(ptp bridge host-local loopback portmap)
COMPONENTS=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns pause nodeagent)
PACKAGES=systemd,iptables,iproute2,conntrack,ethtool,socat,jq,kmod,runc,procps,mount,util-linux,ca-certificates

# tag PROGRAM: the image's name, as kubeadm asks for it.
tag() {
  case $1 in
    etcd) echo "registry.k8s.io/etcd:${ETCD_VERSION#v}-0" ;;
    coredns) echo "registry.k8s.io/coredns/coredns:$COREDNS_VERSION" ;;
    pause) echo "registry.k8s.io/pause:$PAUSE_VERSION" ;;
    nodeagent) echo playerscore/nodeagent:local ;;
    *) echo "registry.k8s.io/$1:$KUBERNETES_VERSION" ;;
  esac
}

# component PROGRAM DEBIAN: builds the image of one program.
component() {
  local context=$work/$1 file=component.Dockerfile
  [ "$1" != kube-proxy ] || file=proxy.Dockerfile
  mkdir "$context"
  cp "$(readlink -f "$BIN/$1")" "$context/$1"
  cp "$HERE/$file" "$context/Dockerfile"
  # Components without a command in their manifest need an entry point.
  printf 'ENTRYPOINT ["/usr/local/bin/%s"]\n' "$1" >>"$context/Dockerfile"
  logged "component-$1" docker build --build-arg "PROGRAM=$1" --build-arg "DEBIAN=$2" -t "$(tag "$1")" "$context"
}

# node IMAGE DEBIAN: the node without component images.
node() {
  local context=$work/node name
  mkdir -p "$context/bin" "$context/cni"
  cp -r "$HERE/rootfs" "$HERE/Dockerfile" "$context"
  echo "$KUBERNETES_VERSION" >"$context/rootfs/kind/version"
  sed -i "s|pause:[0-9.]*|pause:$PAUSE_VERSION|" "$context/rootfs/etc/containerd/config.toml"
  for name in "${PROGRAMS[@]}"; do cp "$(readlink -f "$BIN/$name")" "$context/bin/$name"; done
  for name in "${PLUGINS[@]}"; do cp "$(readlink -f "$BIN/$name")" "$context/cni/$name"; done
  logged node-image docker build --build-arg "DEBIAN=$2" -t "$1" "$context"
}

# add_components IMAGE BARE: starts the bare node's containerd once, imports the
# component images into it, and commits that as the node image.
add_components() {
  local names=() name container
  for name in "${COMPONENTS[@]}"; do names+=("$(tag "$name")"); done
  container=$(docker run -d --privileged --network none --entrypoint containerd "$2")
  until docker exec "$container" ctr version >/dev/null 2>&1; do sleep 0.3; done
  docker save "${names[@]}" |
    logged component-import docker exec -i "$container" ctr -n k8s.io images import --no-unpack -
  docker stop -s TERM "$container" >/dev/null
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$container" "$1" >/dev/null
  docker rm -f "$container" >/dev/null
  docker rmi -f "${names[@]}" >/dev/null
}

make_image() {
  local debian=playerscore/kind-node-debian:local bare=playerscore/kind-node-bare:local name
  say "building the node image (about 2 minutes from binaries, 15 minutes with them)"
  "$CLUSTER_DIR/tools.sh" "${PROGRAMS[@]}" "${PLUGINS[@]}" "${COMPONENTS[@]}"
  work=$(mktemp -d "$CACHE/kind-node.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/nothing"
  debian_image "$debian" "$PACKAGES" "$work/nothing"
  say "putting the node image together (about 45 s)"
  for name in "${COMPONENTS[@]}"; do component "$name" "$debian"; done
  node "$bare" "$debian"
  add_components "$1" "$bare"
  into_cache "$1"
}

use_docker
image=playerscore/kind-node:$KUBERNETES_VERSION-$({
  hash_of images/kind-node cluster/gomod
  echo "$DEBIAN_RELEASE $PAUSE_VERSION"
} | sha256sum | cut -c1-12)
exec 8>"$BIN/.kind-node.lock"
flock 8
if have_image "$KIND_NODE_IMAGE"; then
  image=$KIND_NODE_IMAGE
elif ! from_cache "$image"; then
  say "pulling $KIND_NODE_IMAGE (about 60 s where that is possible)"
  if pull "$KIND_NODE_IMAGE"; then image=$KIND_NODE_IMAGE; else make_image "$image"; fi
fi
echo "$image"

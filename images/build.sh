#!/usr/bin/env bash
# Builds images by docker, podman or buildah, whichever is there, and prints their names.
#   images/build.sh control-plane worker store     (worker-gpu only when asked for: 6 GB)
#   images/build.sh sizes                          what the built ones add to their base, as JSON
# The tag is a hash of what goes in: an image that is there already is not built again. BASE_IMAGE names
# another base; behind a proxy with certificates of its own, CA_BUNDLE (default: SSL_CERT_FILE) is trusted
# while building and stays out of the image.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=cluster/common.sh
source "$ROOT/cluster/common.sh"

# inputs NAME: the paths, relative to the root, that its Dockerfile copies.
inputs() {
  local python="images/with-ca.sh images/slim.py images/bytecode.py LICENSE README.md pyproject.toml uv.lock console/hatch_build.py core"
  case $1 in
    control-plane) echo "$python operator webhook api" ;;
    worker | worker-gpu) echo "$python worker" ;;
    store) ;;
    *) die "unknown image '$1'; there are control-plane, worker, worker-gpu and store" ;;
  esac
}

# seconds NAME: about how long a cold build takes on 2 cores.
seconds() {
  case $1 in control-plane) echo 60 ;; worker) echo 90 ;; worker-gpu) echo 300 ;; *) echo 5 ;; esac
}

# choose_builder: docker, also one of the project's own; podman and buildah where they are all there is.
choose_builder() {
  if [ -n "${BUILDER:-}" ]; then return; fi
  for BUILDER in podman buildah; do
    if command -v "$BUILDER" >/dev/null && ! command -v docker >/dev/null; then return; fi
  done
  BUILDER=docker
  use_docker
}

# choose_base: the one named, else the public one or its replacement where it cannot be pulled.
choose_base() {
  if [ -n "${BASE_IMAGE:-}" ]; then return; fi
  if [ "$BUILDER" = docker ]; then BASE_IMAGE=$("$ROOT/images/base/build.sh"); else BASE_IMAGE=$PYTHON_IMAGE; fi
}

# stage NAME FOLDER: the build context, holding just what the image is made of.
stage() {
  local name=$1 context=$2 paths
  read -ra paths <<<"$(inputs "$name") images/$name.Dockerfile"
  if [ "$name" = control-plane ]; then logged console "$ROOT/console/build.sh"; fi
  tar -C "$ROOT" --exclude=__pycache__ --exclude='*.pyc' -cf - "${paths[@]}" | tar -C "$context" -xf -
  if [ "$name" = store ]; then
    "$ROOT/cluster/tools.sh" versitygw
    install -m 0755 "$BIN/versitygw" "$context/versitygw"
  fi
}

# tag_of FOLDER: 12 hex digits over names and content of a staged context, and the base.
tag_of() {
  (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum && echo "$BASE_IMAGE") |
    sha256sum | cut -c1-12
}

exists() {
  case $BUILDER in
    buildah) buildah inspect --type image "$1" >/dev/null 2>&1 ;;
    *) "$BUILDER" image inspect "$1" >/dev/null 2>&1 ;;
  esac
}

# run_build IMAGE NAME FOLDER
run_build() {
  local image=$1 name=$2 context=$3
  local options=(-f "$context/images/$name.Dockerfile" -t "$image")
  options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE" --network "${BUILD_NETWORK:-host}")
  case $BUILDER in
    buildah) buildah bud --isolation "${BUILDAH_ISOLATION:-chroot}" "${options[@]}" "$context" ;;
    docker) DOCKER_BUILDKIT=$(buildkit) docker build "${options[@]}" "$context" ;;
    *) "$BUILDER" build "${options[@]}" "$context" ;;
  esac
}

# BuildKit where its plugin is installed, else the classic builder.
buildkit() {
  if docker buildx version >/dev/null 2>&1; then echo 1; else echo 0; fi
}

build() {
  local name=$1 context image begin=$SECONDS ca=${CA_BUNDLE:-${SSL_CERT_FILE:-}}
  context=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of this very call
  trap "rm -rf '$context'" RETURN
  stage "$name" "$context"
  image=playerscore/$name:$(tag_of "$context")
  if ! exists "$image"; then
    if [ "$name" != store ] && [ -s "$ca" ]; then cp -L "$ca" "$context/ca-bundle.pem"; fi
    say "building $image (about $(seconds "$name") s when nothing is cached)"
    living "building $image" logged "image-$name" run_build "$image" "$name" "$context"
    say "built $image in $((SECONDS - begin)) s"
  fi
  echo "$image"
}

# size IMAGE: its bytes.
size() {
  case $BUILDER in
    buildah) buildah inspect --type image --format '{{.Size}}' "$1" ;;
    *) "$BUILDER" image inspect --format '{{.Size}}' "$1" ;;
  esac
}

sizes() {
  local base name image separator='{'
  base=$(size "$BASE_IMAGE")
  for name in control-plane worker; do
    image=$(build "$name")
    printf '%s"%s_image_mb": %d' "$separator" "${name//-/_}" $((($(size "$image") - base) / 1000000))
    separator=', '
  done
  echo '}'
}

[ $# -gt 0 ] || die "usage: images/build.sh NAME... | sizes"
choose_builder
choose_base
if [ "$1" = sizes ]; then
  sizes
else
  for name; do build "$name"; done
fi

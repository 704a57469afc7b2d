#!/usr/bin/env bash
# Prints the name of the image that our Dockerfiles start from: the public slim
# Python image where it can be pulled, otherwise a minimal Debian with Python
# and this machine's CA bundle, as a company's proxy may need it.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../cluster/common.sh"
BUNDLE=/etc/ssl/certs/ca-certificates.crt

make_image() {
  local over
  over=$(mktemp -d)
  if [ -f "$BUNDLE" ]; then install -D -m 644 "$BUNDLE" "$over$BUNDLE"; fi
  debian_image "$1" python3,python3-venv,ca-certificates "$over"
  rm -rf "$over"
  into_cache "$1"
}

use_docker
bundle_hash=$( (cat "$BUNDLE" 2>/dev/null || true) | sha256sum)
image=playerscore/base:$({ hash_of images/base && echo "$DEBIAN_RELEASE" "$bundle_hash"; } | sha256sum | cut -c1-12)
exec 8>"$BIN/.base.lock"
flock 8
if have_image "$PYTHON_IMAGE"; then
  image=$PYTHON_IMAGE
elif ! from_cache "$image"; then
  if pull "$PYTHON_IMAGE"; then image=$PYTHON_IMAGE; else make_image "$image"; fi
fi
echo "$image"

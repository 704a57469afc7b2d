# Shared by the scripts of this folder and of images/: where things are, and how
# progress is told. Source it.
# shellcheck shell=bash
CLUSTER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cluster/versions.env
source "$CLUSTER_DIR/versions.env"
CACHE=${PLAYERSCORE_CACHE:-$HOME/.cache/playerscore}
BIN=$CACHE/bin
LOGS=$CACHE/logs
mkdir -p "$BIN" "$LOGS"

# say TEXT: one line of progress; standard output stays free for results.
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# logged NAME COMMAND...: output goes to a log, whose end is shown on failure.
logged() {
  local log=$LOGS/$1.log
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  die "'$*' failed, see $log"
}

# living TEXT COMMAND...: says every half minute that it goes on.
living() {
  local text=$1 begin=$SECONDS watch
  shift
  # A wait of the shell's own leaves no process behind that holds an output open; `kill -0`: this script may end early.
  (until read -rt 30 <> <(:) || ! kill -0 $$ 2>/dev/null; do say "$text: $((SECONDS - begin)) s so far"; done) \
    >/dev/null 7>&- 8>&- 9>&- &
  watch=$!
  "$@"
  kill "$watch" 2>/dev/null || true
}

# hash_of PATH...: 12 hex digits over the content of files and folders, which are
# named from the repository's root so that every checkout gets the same.
hash_of() {
  (cd "$CLUSTER_DIR/.." && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
    sha256sum | cut -c1-12
}

# apt_install PACKAGE...: only what is missing, and only where that is possible.
apt_install() {
  local package missing=()
  for package; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "please install: ${missing[*]}"
  fi
  say "installing Debian packages ${missing[*]} (about 15 s)"
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || logged apt-update apt-get update
  logged apt-install env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

# use_docker: a daemon answers afterwards, and DOCKER_HOST says where. Until this
# script ends nobody else's `docker.sh down` ends that daemon.
use_docker() {
  exec 7>"$BIN/.docker-use.lock"
  flock -s 7
  "$CLUSTER_DIR/docker.sh" up
  eval "$("$CLUSTER_DIR/docker.sh" env)"
  export DOCKER_BUILDKIT=0 DOCKER_CLI_HINTS=false
}

# pull IMAGE: false when the registry has not answered within 20 s.
pull() {
  [ "${PLAYERSCORE_PULL:-}" != never ] || return 1
  local log=$LOGS/pull.log pid
  docker pull "$1" >"$log" 2>&1 &
  pid=$!
  for _ in {1..40}; do
    if ! kill -0 "$pid" 2>/dev/null || grep -q 'Pulling from' "$log"; then
      wait "$pid"
      return
    fi
    sleep 0.5
  done
  kill "$pid"
  return 1
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

# image_file IMAGE: where the cache keeps a built image for the next empty daemon.
image_file() {
  local name=${1#playerscore/}
  mkdir -p "$CACHE/images"
  echo "$CACHE/images/${name//:/-}.tar.zst"
}

# from_cache IMAGE: true when the daemon has the image afterwards.
from_cache() {
  if have_image "$1"; then return; fi
  local file
  file=$(image_file "$1")
  [ -f "$file" ] || return 1
  say "loading $1 from the cache (about 15 s)"
  zstd -dcq "$file" | docker load -q >&2
}

into_cache() {
  local file
  file=$(image_file "$1")
  say "keeping $1 in the cache (about 15 s)"
  docker save "$1" | nice zstd -q -3 -T0 -f -o "$file.part"
  mv "$file.part" "$file"
}

# debian_image IMAGE PACKAGES FILTER_FOLDER: a minimal Debian as an image, with
# the files of a folder laid over it.
debian_image() {
  local image=$1 packages=$2 over=$3 root
  apt_install debootstrap zstd
  root=$(mktemp -d "$CACHE/debian.XXXXXX")
  mkdir -p "$CACHE/debs"
  say "making a Debian $DEBIAN_RELEASE for $image (about 40 s)"
  logged "debootstrap-${image//[\/:]/-}" nice debootstrap --variant=minbase --cache-dir="$CACHE/debs" \
    --include="$packages" "$DEBIAN_RELEASE" "$root"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/* \
    "$root"/var/log/* "$root"/etc/{hostname,resolv.conf,machine-id}
  cp -rT "$over" "$root"
  tar -C "$root" --numeric-owner --one-file-system -c . | docker import - "$image" >/dev/null
  rm -rf "$root"
}

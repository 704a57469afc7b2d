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

# hash_of PATH...: 12 hex digits over the content of files and folders.
hash_of() {
  find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum |
    sed "s|$CLUSTER_DIR/..|.|" | sha256sum | cut -c1-12
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

#!/usr/bin/env bash
# A Docker daemon to work with: the user's own where one answers; otherwise, on
# Linux as root, one of the project's own beside it, whose data, socket and
# bridge are its own too.
#   cluster/docker.sh up     make sure that a daemon answers
#   cluster/docker.sh env    print "export DOCKER_HOST=..." (nothing for a user's own)
#   cluster/docker.sh down   end our own daemon, unless containers run on it: they may
#                            be another cluster's. Its data stays in the cache, and must
#                            not be removed while the daemon runs.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
ROOT=$CACHE/docker
# A socket's path may have 107 characters only, so it is not in the cache folder.
RUN=/run/playerscore-docker
SOCKET=unix://$RUN/docker.sock
SUBNET=${PLAYERSCORE_DOCKER_SUBNET:-172.29.0.1/24}
POOL=${PLAYERSCORE_DOCKER_POOL:-172.30.0.0/16}

users_daemon_answers() { command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1; }
own_daemon_answers() { timeout 10 docker -H "$SOCKET" info >/dev/null 2>&1; }
lacks_sys_resource() { ! ((0x$(awk '/^CapBnd/ {print $2}' /proc/self/status) >> 24 & 1)); }

up() {
  if users_daemon_answers || own_daemon_answers; then return; fi
  if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
    die "no Docker daemon answers: please start Docker (or Docker Desktop, or set DOCKER_HOST)"
  fi
  apt_install docker.io runc iptables
  start
}

start() {
  local begin=$SECONDS options=()
  mkdir -p "$ROOT" "$RUN"
  stop_stale
  if lacks_sys_resource; then
    options=(--add-runtime "limited=$CLUSTER_DIR/runc-without-sys-resource" --default-runtime limited)
  fi
  say "starting a Docker daemon of the project's own (about 5 s)"
  make_bridge
  # Not with our tools on its path: the node's containerd shim is another version than this daemon's containerd.
  PATH=${PATH//"$BIN:"/} nohup dockerd --host "$SOCKET" --data-root "$ROOT/data" --exec-root "$RUN/exec" \
    --pidfile "$RUN/docker.pid" --config-file "$ROOT/daemon.json" \
    --bridge playerscore0 --default-address-pool "base=$POOL,size=24" \
    --storage-driver overlay2 "${options[@]}" >"$LOGS/dockerd.log" 2>&1 7>&- 8>&- 9>&- </dev/null &
  until own_daemon_answers; do
    [ $((SECONDS - begin)) -lt 60 ] || die "dockerd does not answer, see $LOGS/dockerd.log"
    sleep 0.3
  done
  say "the Docker daemon answers after $((SECONDS - begin)) s"
}

# make_bridge: docker0 belongs to a user's own daemon.
make_bridge() {
  [ -f "$ROOT/daemon.json" ] || echo '{}' >"$ROOT/daemon.json"
  [ -d /sys/class/net/playerscore0 ] && return
  ip link add playerscore0 type bridge
  ip addr add "$SUBNET" dev playerscore0
  ip link set playerscore0 up
}

# stop_stale: a pid file that outlived its daemon keeps the next one from starting.
stop_stale() {
  local pid
  for pid in "$RUN/docker.pid" "$RUN/exec/containerd/containerd.pid"; do
    [ ! -f "$pid" ] || kill -0 "$(cat "$pid")" 2>/dev/null || rm -f "$pid"
  done
}

down() {
  [ -f "$RUN/docker.pid" ] || return 0
  local pid running
  running=$(timeout 10 docker -H "$SOCKET" ps --format '{{.Names}}') || running=
  [ -z "$running" ] || die "our Docker daemon is in use by: ${running//$'\n'/ }"
  exec 7>"$BIN/.docker-use.lock"
  flock -nx 7 || die "our Docker daemon is in use by another script"
  pid=$(cat "$RUN/docker.pid")
  say "ending our Docker daemon (about 3 s)"
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  ip link delete playerscore0 2>/dev/null || true
}

print_env() {
  if users_daemon_answers; then return; fi
  echo "export DOCKER_HOST=$SOCKET"
}

case ${1:-} in
  up) (exec 8>"$BIN/.docker.lock" && flock 8 && up) ;;
  down) down ;;
  env) print_env ;;
  *) die "usage: cluster/docker.sh up|down|env" ;;
esac

#!/usr/bin/env bash
# How to look around after the demo; every line can be copied as it is.
#   demo/around.sh API NAMESPACE        with KUBECONFIG set
set -euo pipefail
cd "$(dirname "$0")/.."
source cluster/common.sh

cat <<END
Look around:
  export KUBECONFIG=$KUBECONFIG
  $BIN/kubectl get scoringjobs -A
The console, where a player is picked and his score is read: $1/console/#/$2
The REST API, and a page to try it: $1/docs
A token for all of these, for one hour:
  $BIN/kubectl --kubeconfig $KUBECONFIG create token playerscore-demo --namespace $2 --duration 1h
Remove it all:
  make demo-down
END

#!/usr/bin/env bash
# The main job, end to end: a cluster, the chart, a match video, one player, his score.
#   demo/run.sh [VIDEO]     with your own video, else with a rendered clip
set -euo pipefail
cd "$(dirname "$0")/.."
source cluster/common.sh

NAMESPACE=scoring
JOB=demo-$(date +%H%M%S)
OUT=$PWD/out/demo
API=http://127.0.0.1:${API_PORT:-30080}
UV=$(command -v uv || echo "$CACHE/uv/bin/uv")
mkdir -p "$OUT"

playerscore() { "$UV" run --no-sync playerscore "$@"; }

phase_begin=$SECONDS
phase() { # phase NAME: tells what the phase before it took, and notes it for the benchmark
  if [ -n "${phase_name:-}" ]; then
    say "$phase_name took $((SECONDS - phase_begin)) s"
    printf '%s %s\n' "$phase_name" "$((SECONDS - phase_begin))" >>"$OUT/phases.txt"
  fi
  phase_name=$1 phase_begin=$SECONDS
}
: >"$OUT/phases.txt"

phase cluster
cluster/kind.sh up
KUBECONFIG=$(cluster/kind.sh kubeconfig)
export KUBECONFIG
kubectl=$BIN/kubectl

phase install
cluster/install.sh

phase video
video=${1:-}
if [ -z "$video" ]; then
  playerscore clip --out "$OUT/clip"
  video=$OUT/clip/clip.mp4
fi
token=$("$kubectl" create token playerscore-demo --namespace "$NAMESPACE" --duration 1h)
export PLAYERSCORE_API=$API PLAYERSCORE_TOKEN=$token
uri=$(playerscore upload "$video" --namespace "$NAMESPACE" --output name)

phase preview
playerscore create "$JOB" --namespace "$NAMESPACE" --video "$uri"
step=
while [ "$step" != WAITING_FOR_PLAYER ]; do
  step=$("$kubectl" get --namespace "$NAMESPACE" "scoringjob/$JOB" -o 'jsonpath={.status.progress.step}')
  if [ "$step" = FAILED ]; then
    playerscore watch "$JOB" --namespace "$NAMESPACE" || die "the preview failed"
  fi
  sleep 1
done
playerscore show "$JOB" --namespace "$NAMESPACE"

phase selection
playerscore pick "$JOB" --namespace "$NAMESPACE" --best
playerscore confirm "$JOB" --namespace "$NAMESPACE"
playerscore enqueue "$JOB" --namespace "$NAMESPACE"

phase analysis
playerscore watch "$JOB" --namespace "$NAMESPACE"

phase result
playerscore show "$JOB" --namespace "$NAMESPACE" --png "$OUT/result.png"
"$kubectl" get --namespace "$NAMESPACE" "scoringjob/$JOB"
"$kubectl" get --namespace "$NAMESPACE" "scoringjob/$JOB" -o jsonpath='{.status.result}{"\n"}'
phase end
echo
echo "The chosen player and his radar: $OUT/result.png"
demo/around.sh "$API" "$NAMESPACE"

#!/usr/bin/env bash
# Builds the images, brings them to the cluster and installs the chart; again is quick and changes only what
# differs. Prints the address of the REST API.
#   cluster/install.sh
# JOB_NAMESPACE is where jobs run. With CLUSTER=current, IMAGE_REGISTRY names a registry that the cluster
# reads: images are pushed there.
set -euo pipefail
# shellcheck source=cluster/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
ROOT=$CLUSTER_DIR/..
CLUSTER=${CLUSTER:-kind}
RELEASE=playerscore
SYSTEM_NAMESPACE=playerscore-system
JOB_NAMESPACE=${JOB_NAMESPACE:-scoring}
API_PORT=${API_PORT:-30080}
export PATH=$BIN:$PATH

# build: sets the names of the three images.
build() {
  local names
  names=$("$ROOT/images/build.sh" control-plane worker store)
  { read -r control_plane && read -r worker && read -r store; } <<<"$names"
}

deliver() {
  local image
  if [ "$CLUSTER" = kind ]; then
    "$CLUSTER_DIR/kind.sh" load "$control_plane" "$worker" "$store"
    return
  fi
  [ -n "${IMAGE_REGISTRY:-}" ] || die "CLUSTER=$CLUSTER needs IMAGE_REGISTRY=host/path, where images are pushed"
  use_docker
  for image in "$control_plane" "$worker" "$store"; do
    docker tag "$image" "$IMAGE_REGISTRY/$image"
    logged push docker push "$IMAGE_REGISTRY/$image"
  done
  control_plane=$IMAGE_REGISTRY/$control_plane worker=$IMAGE_REGISTRY/$worker store=$IMAGE_REGISTRY/$store
}

# values: what a demo's cluster wants otherwise than the chart's defaults, as YAML.
values() {
  cat <<END
jobNamespaces: [{name: $JOB_NAMESPACE, create: true}]
image: {repository: "${control_plane%:*}", tag: "${control_plane##*:}"}
workerImage: {repository: "${worker%:*}", tag: "${worker##*:}"}
store:
  image: {repository: "${store%:*}", tag: "${store##*:}"}
  embedded: {size: 5Gi}
webhook: {replicas: 1}
END
  if [ "$CLUSTER" = kind ]; then echo "api: {service: {type: NodePort, nodePort: 30080}}"; fi
}

install_chart() {
  values >"$CACHE/values-$RELEASE.yaml"
  logged helm-install helm upgrade --install "$RELEASE" "$ROOT/charts/playerscore" \
    --namespace "$SYSTEM_NAMESPACE" --create-namespace --values "$CACHE/values-$RELEASE.yaml" \
    --wait --timeout 5m
}

# demo_account: a person of the job namespace, for whoever tries the API.
demo_account() {
  logged demo-account kubectl apply -f - <<END
apiVersion: v1
kind: ServiceAccount
metadata: {name: playerscore-demo, namespace: $JOB_NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: playerscore-demo, namespace: $JOB_NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: $RELEASE-editor}
subjects: [{kind: ServiceAccount, name: playerscore-demo, namespace: $JOB_NAMESPACE}]
END
}

# step TEXT COMMAND...: one line when it is done, with the time it took.
step() {
  local text=$1 begin=$SECONDS
  shift
  "$@"
  say "$text ($((SECONDS - begin)) s)"
}

"$CLUSTER_DIR/tools.sh" helm kubectl
KUBECONFIG=$("$CLUSTER_DIR/kind.sh" kubeconfig)
export KUBECONFIG
[ -f "$KUBECONFIG" ] || die "there is no cluster yet: cluster/kind.sh up"
step "images are built" build
step "images are in the cluster" deliver
step "the chart is installed" install_chart
step "the demo account is there" demo_account
if [ "$CLUSTER" = kind ]; then
  echo "http://127.0.0.1:$API_PORT"
else
  say "reach the API: kubectl -n $SYSTEM_NAMESPACE port-forward svc/$RELEASE-api $API_PORT:8080"
  echo "http://127.0.0.1:$API_PORT"
fi

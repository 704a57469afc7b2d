# The verbs of playerscore; `make` alone prints them. Long steps print their progress and an estimate.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PLAYERSCORE_CACHE ?= $(HOME)/.cache/playerscore

UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo $(PLAYERSCORE_CACHE)/uv/bin/uv)
RUN := $(UV) run --no-sync
EXTRAS := --extra operator --extra webhook --extra api --extra worker --extra clips --extra cli
PYTEST := $(RUN) pytest -q --durations=5

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(PLAYERSCORE_CACHE)/uv/bin/uv:
	@echo "installing uv $(UV_VERSION)" >&2
	python3 -m venv $(PLAYERSCORE_CACHE)/uv || { echo "python3 with venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PLAYERSCORE_CACHE)/uv/bin/pip install -q uv==$(UV_VERSION)

.venv/.synced: $(filter-out /usr/%,$(UV)) pyproject.toml uv.lock
	$(UV) sync -q --frozen --group dev --group browser --group bench $(EXTRAS)
	@touch $@

.PHONY: setup
setup: .venv/.synced ## The Python environment

# --- checks ---------------------------------------------------------------------------------------------
.PHONY: format check verify crds
format: setup ## Format the code
	$(RUN) ruff format -q . && $(RUN) ruff check -q --fix .

check: setup ## Lint, types, imports (seconds)
	$(RUN) ruff format --check -q .
	$(RUN) ruff check -q .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) shellcheck -x $$(git ls-files '*.sh' .ci/run)

crds: setup ## Write the CRDs from the models
	$(RUN) python crds/generate.py

verify: check ## check, and nothing generated is stale
	$(RUN) python crds/generate.py --check
	$(RUN) python docs/generate.py --check
	$(RUN) python clients/generate.py --check

.PHONY: docs client console console-pictures bench-console
console: ## The console's pages, checked and built into the API's package
	console/build.sh check

console-pictures: setup ## The pictures of docs/console.md, of a real clip and its analysis
	cluster/tools.sh etcd kube-apiserver kubectl versitygw
	console/build.sh
	BROWSER=$$(cluster/browser.sh) && PLAYERSCORE_BROWSER=$$BROWSER $(RUN) python docs/console_pictures.py

bench-console: setup ## How much the console loads and how fast it answers, into benchmarks/results
	cluster/tools.sh etcd kube-apiserver kubectl versitygw
	console/build.sh
	BROWSER=$$(cluster/browser.sh) && PLAYERSCORE_BROWSER=$$BROWSER $(RUN) python benchmarks/console.py

client: setup ## The TypeScript client, generated from the API and compiled
	$(RUN) python clients/generate.py
	clients/build.sh

docs: setup ## Write the pages that are made of the code
	$(RUN) python docs/generate.py

# --- tests: level = folder = target ---------------------------------------------------------------------
.PHONY: test test-unit test-apiserver test-browser test-faults test-faults-short test-vision test-cluster
# What mostly waits runs beside what computes; the tools are built beside them, in the order in which they are needed.
test: setup ## Every test level, set up from nothing
	$(RUN) python tests/levels.py verify
	$(RUN) python tests/levels.py --at-once 3 --beside tools test-faults-short test-vision test-unit test-apiserver \
	  test-cluster $(MORE) test-kueue test-browser

test-unit: setup ## No cluster, no pixels
	cluster/tools.sh helm promtool
	$(PYTEST) tests/unit

APISERVER_TOOLS := etcd kube-apiserver kube-controller-manager kubectl helm versitygw kstatus fluxhealth argohealth celcost
test-apiserver: setup ## A real etcd and kube-apiserver
	cluster/tools.sh $(APISERVER_TOOLS)
	$(PYTEST) tests/apiserver

test-browser: setup ## Pages in a real browser, on a real API server
	cluster/tools.sh etcd kube-apiserver kubectl versitygw
	console/build.sh
	BROWSER=$$(cluster/browser.sh) && PLAYERSCORE_BROWSER=$$BROWSER $(PYTEST) tests/browser

FAULTS_TOOLS := etcd kube-apiserver kube-controller-manager kube-scheduler kubectl helm versitygw
ROWS := tests/faults

test-faults: setup ## Every fault of docs/faults.md, made to happen (FAULTS_SEED=n, ROWS=files); the result into benchmarks/results
	cluster/tools.sh $(FAULTS_TOOLS)
	FAULTS_RESULT=benchmarks/results/faults.json $(PYTEST) $(ROWS)
	$(RUN) python docs/generate.py

test-faults-short: setup ## The parts of them that take less than a minute each
	cluster/tools.sh $(FAULTS_TOOLS)
	$(PYTEST) -m "not long" tests/faults

test-vision: setup ## Real decoding, detector and follower on clips with ground truth
	$(PYTEST) tests/vision

.PHONY: tools
tools: ## Every program that the tests need, built
	cluster/tools.sh $(FAULTS_TOOLS) promtool $(APISERVER_TOOLS) kubelet kube-proxy kubeadm kind kubeconform \
	  containerd coredns cni pause nodeagent kueue

test-cluster: setup ## A real node, real images, the real chart
	$(PYTEST) -m "not long" tests/cluster

.PHONY: test-troubles
test-troubles: setup ## What really goes wrong between a Job and its container, on a real node (10 min)
	$(PYTEST) tests/cluster/test_troubles.py

.PHONY: test-upgrade
test-upgrade: setup ## The chart upgraded from an earlier commit and back, on a real node, while jobs run; the result into benchmarks/results
	CLUSTERS_RESULT=benchmarks/results/clusters.json $(PYTEST) tests/cluster/test_upgrade.py

.PHONY: gitops-testdata
gitops-testdata: setup ## Write Argo CD's test cases from a real API server
	$(RUN) python tests/support/jobstates.py

.PHONY: test-kueue
test-kueue: setup ## Jobs in the queues of a real Kueue
	cluster/tools.sh etcd kube-apiserver kube-controller-manager kubectl helm kueue
	$(PYTEST) tests/kueue

.PHONY: test-footage test-ultralytics
test-footage: setup ## The flow on real footage that lies beside the checkout (CI)
	$(PYTEST) tests/footage

test-ultralytics: setup ## Real weights, by ultralytics and exported, in an environment of its own (CI; 6 GB)
	UV_PROJECT_ENVIRONMENT=$(PLAYERSCORE_CACHE)/venv-ultralytics \
	  $(UV) run -q --frozen --group dev --extra worker-gpu --extra clips pytest -q tests/ultralytics

.PHONY: fuzz-api bench-api
fuzz-api: setup ## Thousands of requests on every operation of the API, the result into benchmarks/results (8 min)
	cluster/tools.sh etcd kube-apiserver kubectl versitygw
	$(RUN) python benchmarks/fuzz_api.py

bench-api: setup ## The API beside Kubernetes asked directly, and 200 event streams (5 min, quiet machine), into benchmarks/results
	cluster/tools.sh etcd kube-apiserver kubectl versitygw
	$(RUN) python benchmarks/api.py

# --- run it ---------------------------------------------------------------------------------------------
bench-reconcile: setup ## The operator beside JobSet and a bare client (10 min, quiet machine), into benchmarks/results
	cluster/tools.sh etcd kube-apiserver kube-controller-manager kubectl jobset
	$(RUN) python benchmarks/reconcile.py

bench-at-rest: setup ## Memory and CPU of the operator beside 10,000 objects (10 min), into benchmarks/results
	cluster/tools.sh etcd kube-apiserver kube-controller-manager kubectl
	$(RUN) python benchmarks/at_rest.py

bench-first-score: setup ## The figures of one job, end to end, into benchmarks/results
	$(RUN) python benchmarks/first_score.py

.PHONY: bench-cli krew
bench-cli: setup ## How fast the command line starts, against kubectl and Python, into benchmarks/results
	cluster/tools.sh etcd kube-apiserver kubectl
	$(RUN) python benchmarks/cli.py

krew: setup ## The plugin's archives and manifest for krew, for every platform, into out/krew
	$(RUN) python cli/krew/build.py

.PHONY: bench-clusters
bench-clusters: setup ## Jobs at every stage while API, store, node or registry are away (25 min), into benchmarks/results
	$(RUN) python benchmarks/clusters.py

.PHONY: bench-worker-speed
bench-worker-speed: setup ## How fast a player is followed, beside decoding, detector and a tracker (90 min and more, quiet machine; MINUTES=n of match), into benchmarks/results
	$(RUN) python benchmarks/worker_speed.py --minutes $(or $(MINUTES),90)

.PHONY: bench-match
bench-match: setup ## A match of 90 minutes: memory, percent, a kill half-way (hours, quiet machine), into benchmarks/results
	$(RUN) python benchmarks/whole_match.py

.PHONY: bench-videos fuzz-videos
bench-videos: setup ## How each kind of video that people have is handled, into benchmarks/results (3 min)
	$(RUN) python benchmarks/videos.py

FUZZ_SECONDS := 3600
SEED := 1
fuzz-videos: setup ## Those that play, damaged at random for an hour (FUZZ_SECONDS, SEED), into the same result
	$(RUN) python benchmarks/videos.py --fuzz $(FUZZ_SECONDS) --seed $(SEED)

.PHONY: bench-following
bench-following: setup ## How well the confirmed player is followed, rendered and real (15 min), into benchmarks/results
	$(RUN) python benchmarks/following.py
	$(RUN) python docs/generate.py

.PHONY: bench-metrics
bench-metrics: setup ## How exact metres and speeds are, on rendered play (an hour on 2 cores), into benchmarks/results
	$(RUN) python benchmarks/metrics.py

bench-review: setup ## What three answers to a result's review are worth, on the rendered scenes, into benchmarks/results
	$(RUN) python benchmarks/review.py

bench-policy: setup ## What the policy in CEL costs an API server at the largest preview, into benchmarks/results
	$(RUN) python benchmarks/policy_cost.py

bench-webhook: setup ## What an admission costs and whether one ever fails, into benchmarks/results (15 minutes)
	cluster/tools.sh etcd kube-apiserver kubectl helm
	$(RUN) python benchmarks/webhook.py

fuzz-webhook: setup ## Ten minutes of hostile reviews, into the same result
	$(RUN) python benchmarks/webhook.py fuzz

.PHONY: bench-reconcile bench-at-rest bench-policy bench-webhook fuzz-webhook bench-first-score try desk demo demo-down cluster cluster-down images install train-detector finetune-detector
try: setup ## The whole flow on this machine, without a cluster
	$(RUN) playerscore clip --out out/try/clip
	$(RUN) playerscore run out/try/clip/clip.mp4 --out out/try/result

desk: setup ## The console over out/desk, on this machine, without a cluster (VIDEO=path to begin with)
	console/build.sh
	$(RUN) playerscore $(if $(VIDEO),run $(VIDEO) --console --out out/desk,console out/desk)

demo: setup ## A cluster, everything installed, one job end to end (VIDEO=path for your own)
	demo/run.sh $(VIDEO)

demo-down: cluster-down ## Remove what demo made
	rm -rf out/demo

cluster: ## A kind cluster of the project's own
	cluster/kind.sh up

cluster-down: ## Delete that cluster
	cluster/kind.sh down

images: ## Build the images
	images/build.sh control-plane worker store

install: ## Build, load and install the chart into the cluster
	cluster/install.sh

.PHONY: fit-quality
fit-quality: setup ## Fit the constants of tracking_quality on rendered scenes again (15 min), into benchmarks/results
	PYTHONPATH=benchmarks OMP_NUM_THREADS=1 $(RUN) python training/fit_quality.py

train-detector: setup ## Render pictures and train the embedded detector again (about an hour on 2 cores)
	$(UV) sync -q --frozen --inexact --group train
	$(RUN) python training/train.py --steps 6500 --seed 1 --out out/train
	$(RUN) python training/export.py out/train/detector.pt out/train/embedded.onnx
	@echo "weights: out/train/embedded.onnx; training/README.md says how to compare and take them over"

finetune-detector: setup ## Go on training the shipped detector on hard windows, three seeds (about half an hour)
	$(UV) sync -q --frozen --inexact --group train
	$(RUN) python training/album.py out/album
	for seed in 1 2 3; do \
	  $(RUN) python training/finetune.py out/album --seed $$seed --out out/finetuned/$$seed && \
	  $(RUN) python training/export.py out/finetuned/$$seed/detector.pt out/finetuned/$$seed/embedded.onnx || exit 1; done
	@echo "weights: out/finetuned/SEED/embedded.onnx; training/README.md says how to compare and take them over"

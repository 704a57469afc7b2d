"""Prometheus metrics of the operator; never a job's name as a label."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("scoringjob_reconciles", "Reconciliations by what came of them.", ["outcome"])
RECONCILE_SECONDS = Histogram(
    "scoringjob_reconcile_duration_seconds",
    "Duration of one reconciliation.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
QUEUE_DEPTH = Gauge("scoringjob_workqueue_depth", "Keys that wait to be reconciled.")
LAUNCHES = Counter("scoringjob_launches", "Child Jobs created, previews included.")
FINISHED = Counter("scoringjob_finished", "Ended jobs by their last step.", ["step"])
LEADER = Gauge("scoringjob_operator_leader", "1 while this replica leads.")
LOOP_LAG = Gauge("scoringjob_operator_loop_lag_seconds", "How late the event loop runs its timers.")

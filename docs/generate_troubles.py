"""The page of troubles of pods, from the operator's table."""

from itertools import groupby

from playerscore_operator.troubles import ROWS, Row, Verdict
from playerscore_operator.waits import MOST_DISRUPTIONS

HEAD = f"""\
<!-- Generated from operator/playerscore_operator/troubles.py by docs/generate.py; do not edit. -->
# When a pod does not run

Between a Job and a running worker stand a quota, a scheduler, a registry, a node. What they say is on the job
(`kubectl describe scoringjob NAME`: `PreviewReady`, `Running`), in their own words, and this is what the operator
makes of it. The first row that fits the reason and the message is taken; `status.run.trouble` has its name where
its age matters.

- **wait**: told, and waited for until `startDeadlineSeconds` is over (or for as long as a quota is full).
- **another attempt, not counted**: nothing is taken from `retry.limit`; the next one starts after 5, 20, 80 and then
  every 300 seconds. After {MOST_DISRUPTIONS} of them the job fails with `DISRUPTED_TOO_OFTEN`.
- **another attempt, counted**: one of `retry.limit`.
- **the job fails**: at once, or when the trouble has been there for as long as the column says, without a break.

The real messages that the table is tested with, and where each is from, are in
[tests/support/kubelet](../tests/support/kubelet). One that it gets wrong belongs there first.

Of each kind, what can be is made to happen on a real node, and passes: a busy registry, one that refuses, an image or a
pull secret that comes late, full quotas, a taint, a kubelet that refuses the pod, a full disk, too little memory, an
eviction, the API away, the store without room ([tests/cluster/test_troubles.py](../tests/cluster/test_troubles.py)).
`make bench-clusters` takes API, store, registry and kubelet away for two minutes while jobs are at every stage, and
`make test-upgrade` upgrades the chart and goes back while jobs run
([the last result](../benchmarks/results/clusters.json)).
"""
TABLE = """
| name | reason | what it means | what follows | what to do |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for place, rows in groupby(ROWS, key=lambda row: row.place):
        parts.append(f"\n## Told by {place.value}\n{TABLE}" + "".join(map(_line, rows)))
    return "".join(parts)


def _line(row: Row) -> str:
    reasons = "any other" if row.reasons == ".*" else f"`{row.reasons}`".replace("|", "`, `")
    return f"| `{row.slug}` | {reasons} | {row.means} | {_follows(row)} | {row.todo} |\n"


def _follows(row: Row) -> str:
    after = f" after {row.grace_sec} s" if row.grace_sec else ""
    if row.verdict is Verdict.WAIT:
        return "wait" if row.hurries else "wait; the start deadline does not run"
    code = f": `{row.code}`" if row.verdict is Verdict.FATAL else ""
    return f"{row.verdict.value}{after}{code}"

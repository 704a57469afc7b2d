"""What the watches said, kept small: an aid, never the truth of anything that starts, stops or ends a run.

The newest body of a job that waits to be looked at, and the children of jobs that go on, as JSON bytes of the
fields that decisions read. A restart begins with an empty one. Whatever rests on what is *not* here is decided
again on live reads (`Decision.unproven`), and every status write is a compare-and-swap.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from playerscore import flow, names
from playerscore_operator.observe import lean

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name of a ScoringJob."""
Ref = tuple[str, str, str]
"""Kind (`scoringjobs`, `jobs`, `pods`), namespace and name."""

MOST_BODIES = 5000
"""So many bodies (about 2 KB each) are kept at most; other jobs are read when their turn comes."""
MOST_GONE = 1000
"""Of so many that went lately it is known that they went: a server that lags behind may list them once more."""
METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "ownerReferences")
POD_STATUS = ("phase", "reason", "message", "conditions", "initContainerStatuses", "containerStatuses")


class Watched:
    """The newest versions seen, and what is worth keeping of the objects."""

    def __init__(self) -> None:
        self._versions: dict[Ref, int] = {}
        self._bodies: dict[Key, bytes] = {}
        self._children: dict[str, dict[Ref, bytes]] = {}
        self._owners: dict[Ref, tuple[Key, str]] = {}
        self._gone: dict[Ref, int] = {}
        """The version at which it went, the oldest first."""
        self._doubts: dict[Key, dict[Ref, int]] = {}
        """Versions of children that a listing told of and no event has brought."""

    def job_event(self, body: Json, *, deleted: bool) -> bool:
        """Whether the event says something that was not known."""
        ref = _ref("scoringjobs", body)
        key = ref[1:]
        if deleted:
            self._versions.pop(ref, None)
            self._bodies.pop(key, None)
            self._doubts.pop(key, None)
            self._children.pop(body["metadata"]["uid"], None)
            return False
        if not self.newer(ref, body):
            return False
        if len(self._bodies) < MOST_BODIES or key in self._bodies:
            self._bodies[key] = orjson.dumps(lean(body))
        return True

    def child_event(self, kind: str, body: Json, *, deleted: bool) -> Key | None:
        """The job to look at, when the event says something that was not known and that decisions read."""
        ref, labels = _ref(kind, body), body["metadata"].get("labels") or {}
        key, uid = (ref[1], labels[names.JOB_LABEL]), labels[names.UID_LABEL]
        if deleted:
            self._drop(ref, uid)
            self._bury(ref, body)
            self._believe(key, ref)
            return key
        if not self.newer(ref, body):
            return None
        if self._versions[ref] >= self._doubts.get(key, {}).get(ref, 0):
            self._believe(key, ref)
        self._owners[ref] = (key, uid)
        known, content = self._children.setdefault(uid, {}), orjson.dumps(_pruned(kind, body))
        if known.get(ref) == content:
            return None
        known[ref] = content
        return key

    def newer(self, ref: Ref, body: Json) -> bool:
        """Note the object's version; False when that or a later one is known already."""
        version = int(body["metadata"]["resourceVersion"])
        if max(self._versions.get(ref, -1), self._gone.get(ref, -1)) >= version:
            return False
        self._versions[ref] = version
        return True

    def written(self, answer: Json, patch: Json, *, keep: bool) -> None:
        """The answer (its metadata) to our own status write: its event will say nothing new.

        The write carried the version that was judged, so the job is what it was, with the patch in it. `keep`
        it while it has a child: each event of the child would have it read again.
        """
        ref = _ref("scoringjobs", answer)
        self.newer(ref, answer)
        content = self._bodies.pop(ref[1:], None)
        if content is None or not keep:
            return
        body = orjson.loads(content)
        if int(body["metadata"]["resourceVersion"]) > int(answer["metadata"]["resourceVersion"]):
            # Somebody wrote after us, and the watch was quicker than our answer.
            self._bodies[ref[1:]] = content
            return
        body["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
        body["status"] = flow.merged(body.get("status"), patch)
        self._bodies[ref[1:]] = orjson.dumps(body)

    def body(self, key: Key) -> Json | None:
        """The newest body of a job that is known."""
        content = self._bodies.get(key)
        return None if content is None else orjson.loads(content)

    def read(self, body: Json) -> Json:
        """A job was read live. The newest of it that is known: a watch may have been quicker than that answer."""
        ref = _ref("scoringjobs", body)
        if int(body["metadata"]["resourceVersion"]) < self._versions.get(ref, -1):
            return self.body(ref[1:]) or body
        self.newer(ref, body)
        if len(self._bodies) < MOST_BODIES or ref[1:] in self._bodies:
            self._bodies[ref[1:]] = orjson.dumps(body)
        return body

    def let_go(self, key: Key) -> None:
        """The body is of no use any more: the job rests, or it changed on the server."""
        self._bodies.pop(key, None)

    def children(self, uid: str) -> tuple[list[Json], list[Json]]:
        """The child Jobs and pods of one job, as far as they are known."""
        known = self._children.get(uid, {})
        jobs = [orjson.loads(body) for ref, body in known.items() if ref[0] == "jobs"]
        return jobs, [orjson.loads(body) for ref, body in known.items() if ref[0] == "pods"]

    def release(self, uid: str) -> None:
        """An ended job needs its children no more."""
        self._children.pop(uid, None)

    def doubted(self, key: Key) -> bool:
        """Whether a child of that job is known to have changed, and not how."""
        return key in self._doubts

    def missed(self, kind: str, listed: Iterable[tuple[Ref, int, Key]]) -> set[Key]:
        """The jobs of which a full listing knows what no event brought; each version is told once.

        Of a child the listing has no body: until its event comes, which is still news, its job is read live.
        """
        found: set[Key] = set()
        there: set[Ref] = set()
        for ref, version, key in listed:
            there.add(ref)
            told = self._doubts.get(key, {}).get(ref, -1)
            if max(told, self._versions.get(ref, -1)) >= version:
                continue
            if kind == "scoringjobs":
                self._versions[ref] = version
            else:
                self._doubts.setdefault(key, {})[ref] = version
            self._bodies.pop(key, None)
            found.add(key)
        for key, refs in list(self._doubts.items()):
            for ref in [ref for ref in refs if ref[0] == kind and ref not in there]:
                self._believe(key, ref)
                found.add(key)
        for ref in [ref for ref in self._versions if ref[0] == kind and ref not in there]:
            key, uid = self._owners.get(ref, (ref[1:], ""))
            self._drop(ref, uid)
            if kind == "scoringjobs":
                self._bodies.pop(key, None)
                self._doubts.pop(key, None)
            else:
                found.add(key)
        return found

    def _believe(self, key: Key, ref: Ref) -> None:
        if refs := self._doubts.get(key):
            refs.pop(ref, None)
            if not refs:
                del self._doubts[key]

    def _bury(self, ref: Ref, body: Json) -> None:
        """A child has gone; its name does not come again."""
        self._gone[ref] = int(body["metadata"]["resourceVersion"])
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def _drop(self, ref: Ref, uid: str) -> None:
        self._versions.pop(ref, None)
        self._owners.pop(ref, None)
        if uid in self._children:
            self._children[uid].pop(ref, None)
            if not self._children[uid]:
                del self._children[uid]


def _ref(kind: str, body: Json) -> Ref:
    return kind, body["metadata"]["namespace"], body["metadata"]["name"]


def _pruned(kind: str, body: Json) -> Json:
    """What decisions read of a child."""
    metadata, status = body["metadata"], body.get("status", {})
    kept: Json = {"metadata": {key: metadata[key] for key in METADATA if key in metadata}}
    labels = metadata.get("labels") or {}
    kept["metadata"]["labels"] = {
        key: labels[key] for key in ("job-name", names.ATTEMPT_LABEL) if key in labels
    }
    if kind == "pods":
        kept["spec"] = {key: body["spec"].get(key) for key in ("nodeName", "serviceAccountName")}
        kept["status"] = {key: status[key] for key in POD_STATUS if key in status}
        return kept
    annotations = metadata.get("annotations") or {}
    digest = annotations.get(names.SPEC_HASH_ANNOTATION)
    kept["metadata"]["annotations"] = {names.SPEC_HASH_ANNOTATION: digest} if digest else {}
    kept["spec"] = {"suspend": body["spec"].get("suspend")}
    kept["status"] = {key: status[key] for key in ("startTime", "conditions") if key in status}
    return kept

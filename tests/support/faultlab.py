"""What the faults of tests/faults share: an operator's lab that is watched, a proxy that misbehaves, the invariants.

def test_row(lab: FaultLab) -> None:
    lab.start_operator("one")
    with lab.kubelet():
        lab.create_job("match", lab.ready("match"))
        ...the fault...
        lab.until(lambda: lab.step("match") == "COMPLETED")
    invariants(lab)
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import httpx
from aiohttp import web

from builders import make_preview, make_result, manifest
from controlplane import ControlPlane, Running, free_ports
from operatorlab import Lab, pod_status
from playerscore import names
from playerscore.names import FINISHED, Step

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
PATIENCE_SECONDS: Final = 120.0
"""For what takes a second on a quiet machine."""
KUBELET_SECONDS: Final = 0.2
NOT_FORWARDED: Final = {"host", "content-length", "transfer-encoding", "connection", "keep-alive"}
PATHS: Final = {
    names.JOB_PLURAL: f"/apis/{names.API_VERSION}/{names.JOB_PLURAL}",
    "jobs": f"/apis/batch/v1/jobs?labelSelector={names.UID_LABEL}",
    "pods": f"/api/v1/pods?labelSelector={names.UID_LABEL}",
}
ORDER: Final = (
    Step.EXTRACTING_PREVIEW,
    Step.WAITING_FOR_PLAYER,
    Step.WAITING_FOR_TARGET_CONFIRMATION,
    Step.READY_TO_ENQUEUE,
    Step.QUEUED,
    Step.ANALYZING,
)


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Its result, from another thread."""
        return self.spawn(work).result(PATIENCE_SECONDS)

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        self.call(self._cancelled())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self.loop.close()

    async def _cancelled(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type] # there is one
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Closed TLS connections need a few rounds of the loop to be gone.
        await asyncio.sleep(0.2)


def trusting(plane: ControlPlane) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(plane.ca))


def session(plane: ControlPlane) -> aiohttp.ClientSession:
    """Speaks to the API server as admin, without limits of its own."""
    return aiohttp.ClientSession(
        plane.url,
        headers=plane.headers(),
        connector=aiohttp.TCPConnector(limit=0, ssl=trusting(plane)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    )


# --- the record ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """One version of an object, as a watch over the whole test brought it."""

    kind: str
    """`scoringjobs`, `jobs` or `pods`."""
    gone: bool
    body: Json

    @property
    def uid(self) -> str:
        """Of the ScoringJob that it is, or belongs to."""
        meta = self.body["metadata"]
        return str(meta["uid"] if self.kind == names.JOB_PLURAL else meta["labels"][names.UID_LABEL])

    @property
    def attempt(self) -> str:
        """Of a child: `1`, `p1`."""
        return str(self.body["metadata"]["labels"].get(names.ATTEMPT_LABEL, ""))

    @property
    def step(self) -> str:
        return str(self.status.get("progress", {}).get("step", ""))

    @property
    def status(self) -> Json:
        found: Json = self.body.get("status") or {}
        return found

    @property
    def ended(self) -> bool:
        """Of a child: nothing of it runs any more."""
        if self.gone or self.status.get("phase") in ("Succeeded", "Failed"):
            return True
        return any(
            item["type"] in ("Complete", "Failed") and item["status"] == "True"
            for item in self.status.get("conditions") or []
        )


class Record:
    """Every version of every ScoringJob, child Job and pod that the API server told of."""

    def __init__(self, plane: ControlPlane, background: Background) -> None:
        self.looks: list[Look] = []
        self._plane = plane
        self._latest: dict[tuple[str, str], Look] = {}
        self._begun = {kind: asyncio.Event() for kind in PATHS}
        for kind in PATHS:
            background.spawn(self._follow(kind))
        background.call(self._ready())

    def of(self, kind: str, uid: str | None = None) -> list[Look]:
        """The versions of a kind, oldest first; of one ScoringJob when its uid is given."""
        return [look for look in self.looks if look.kind == kind and uid in (None, look.uid)]

    def version(self, kind: str, uid: str) -> str:
        """The newest resourceVersion seen of the object with that uid of its own."""
        look = self._latest.get((kind, uid))
        return "" if look is None else str(look.body["metadata"]["resourceVersion"])

    async def _ready(self) -> None:
        await asyncio.gather(*(event.wait() for event in self._begun.values()))

    async def _follow(self, kind: str) -> None:
        async with session(self._plane) as http:
            version = ""
            while True:
                try:
                    version = version or await self._list(http, kind)
                    self._begun[kind].set()
                    async for look_version in self._watch(http, kind, version):
                        version = look_version
                except (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError):
                    await asyncio.sleep(0.3)

    async def _list(self, http: aiohttp.ClientSession, kind: str) -> str:
        async with http.get(PATHS[kind]) as answer:
            answer.raise_for_status()
            found = await answer.json()
        there = {item["metadata"]["uid"] for item in found["items"]}
        for (other, uid), look in list(self._latest.items()):
            if other == kind and uid not in there and not look.gone:
                self._note(kind, look.body, gone=True)
        for item in found["items"]:
            self._note(kind, item, gone=False)
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, http: aiohttp.ClientSession, kind: str, version: str) -> AsyncIterator[str]:
        """The version to go on from after each event; empty when the list must be read anew."""
        path = PATHS[kind] + ("&" if "?" in PATHS[kind] else "?")
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={version}"
        async with http.get(path + query, read_bufsize=8 << 20) as answer:
            if answer.status == 410:
                yield ""
                return
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    yield ""
                    return
                if event["type"] != "BOOKMARK":
                    self._note(kind, event["object"], gone=event["type"] == "DELETED")
                yield event["object"]["metadata"]["resourceVersion"]

    def _note(self, kind: str, body: Json, *, gone: bool) -> None:
        key = (kind, body["metadata"]["uid"])
        known = self._latest.get(key)
        version = body["metadata"]["resourceVersion"]
        if known and known.gone == gone and known.body["metadata"]["resourceVersion"] == version:
            return
        body["metadata"].pop("managedFields", None)
        if kind != names.JOB_PLURAL:
            body.pop("spec", None)
        else:
            (body.get("status") or {}).pop("preview", None)
        look = Look(kind, gone, body)
        self.looks.append(look)
        self._latest[key] = look


# --- the lab ------------------------------------------------------------------------------------------------


class FaultLab(Lab):
    """A Lab of one test on a control plane that others may share; everything that happens is on record."""

    def __init__(self, plane: ControlPlane, name: str = "faults") -> None:
        super().__init__(plane)
        self.log = plane.folder / f"operator-{name}-{time.monotonic_ns()}.log"
        self.log.touch()
        self.background = Background()
        self.http = httpx.Client(
            base_url=plane.url, headers=plane.headers(), verify=trusting(plane), timeout=60
        )
        self.record = Record(plane, self.background)
        self.by_identity: dict[str, subprocess.Popen[bytes]] = {}
        self.health: dict[str, int] = {}
        """Health port by the operator's identity."""

    def close(self) -> None:
        """End the operators, delete what is left, end the record."""
        self.stop()
        self._clear()
        self.background.close()
        self.http.close()

    def _clear(self) -> None:
        self.plane.kubectl("delete", "scoringjobs", "-A", "--all", "--timeout=60s")
        self.plane.kubectl("delete", "lease", "playerscore-operator", "-n", "default", "--ignore-not-found")
        self.plane.kubectl("delete", "pods", "-A", "-l", names.UID_LABEL, "--force", "--grace-period=0")

    # --- operators ------------------------------------------------------------------------------------------

    def start_operator(self, identity: str = "one", **more: str) -> int:
        """Start one more operator process, and know it by its identity; returns its health port."""
        port = super().start_operator(identity, **more)
        self.by_identity[identity] = self.operators[-1]
        self.health[identity] = port
        return port

    def signal(self, identity: str, number: int) -> None:
        self.by_identity[identity].send_signal(number)

    def ended(self, identity: str, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit code of an operator that ends by itself, or was told to."""
        process = self.by_identity[identity]
        code = process.wait(seconds)
        if process in self.operators:
            self.operators.remove(process)
        return code

    def kept_running(self, identity: str, **more: str) -> bool:
        """What a kubelet does: start an operator that ended again, under the same name. Whether it had ended."""
        if self.by_identity[identity].poll() is None:
            return False
        self.ended(identity)
        self.start_operator(identity, **more)
        return True

    def stop(self) -> None:
        """End every operator, also a frozen one."""
        super().stop()
        self.by_identity.clear()

    def holder(self) -> str:
        """The identity in the Lease; empty when nobody leads."""
        spec = self.get("lease", "playerscore-operator").get("spec", {})
        return str(spec.get("holderIdentity") or "")

    def leads(self, identity: str) -> None:
        """Wait until that operator leads and listens."""
        self.until(lambda: self._role(identity) == (200, "leader"))

    def _role(self, identity: str) -> tuple[int, str]:
        return self.probe(identity, "readyz")

    def probe(self, identity: str, page: str = "healthz") -> tuple[int, str]:
        """Status and words of a probe; 0 while nothing listens."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.health[identity]}/{page}", timeout=5)
        except httpx.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def metric(self, identity: str, name: str) -> float:
        """The sum over all labels of one of the operator's metrics."""
        lines = self.probe(identity, "metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name
        )

    # --- jobs -----------------------------------------------------------------------------------------------

    def until(self, what: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        return super().until(what, seconds)

    def create_many(self, prefix: str, count: int, spec: Callable[[str], Json] | None = None) -> list[str]:
        """Create so many jobs quickly, by default enqueued and without a preview; their names."""
        made = [f"{prefix}-{number}" for number in range(count)]
        for name in made:
            self.post_job(name, (spec or self.ready)(name))
        return made

    def post_job(self, name: str, spec: Json) -> None:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.JOB_KIND,
            "metadata": {"name": name},
            "spec": {"video": {"uri": "s3://playerscore/default/uploads/match.mp4"}} | spec,
        }
        path = f"/apis/{names.API_VERSION}/namespaces/default/{names.JOB_PLURAL}"
        self.until(lambda: self._posted(path, body))

    def _posted(self, path: str, body: Json) -> bool:
        """As a person does it: again when the API server has just started, or does not answer."""
        try:
            answer = self.http.post(path, json=body)
        except httpx.TransportError:
            return False
        assert answer.status_code in (201, 409, 429) or answer.status_code >= 500, answer.text
        return answer.status_code in (201, 409)

    def jobs(self) -> list[Json]:
        """Every ScoringJob as it is now."""
        found: list[Json] = self.http.get(PATHS[names.JOB_PLURAL]).raise_for_status().json()["items"]
        return found

    def children(self) -> list[Json]:
        """Every child Job as it is now."""
        found: list[Json] = self.http.get(PATHS["jobs"]).raise_for_status().json()["items"]
        return found

    def steps(self) -> dict[str, str]:
        """The step of every ScoringJob by its name."""
        return {
            item["metadata"]["name"]: item.get("status", {}).get("progress", {}).get("step", "")
            for item in self.jobs()
        }

    def all_at(self, step: str, wanted: Sequence[str]) -> None:
        """Wait until all of these are there."""
        self.until(lambda: self.are_at(step, wanted))

    def are_at(self, step: str, wanted: Sequence[str]) -> bool:
        """Whether all of these are there now."""
        steps = self.steps()
        return all(steps.get(name) == step for name in wanted)

    @contextlib.contextmanager
    def kubelet(self, run_seconds: float = 0.3) -> Iterator["Kubelet"]:
        """Plays kubelet and worker for every pod, until the end of the block."""
        kubelet = Kubelet(self.plane, run_seconds)
        task = self.background.spawn(kubelet.run())
        try:
            yield kubelet
        finally:
            task.cancel()
            if kubelet.failed:
                raise kubelet.failed


class Kubelet:
    """Binds and runs each pod, reports what its worker would, ends it, and lets a terminating one go.

    It reports as a worker that the fence lets through: only while its attempt is the current one.
    """

    def __init__(self, plane: ControlPlane, run_seconds: float) -> None:
        self.run_seconds = run_seconds
        self.holds = False
        """While it is set, the pods of analyses run on."""
        self.ran: list[str] = []
        """The pods that ran, in their order."""
        self.failed: BaseException | None = None
        self._plane = plane
        self._since: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled; an API server that is away is waited for."""
        async with session(self._plane) as self._http:
            while True:
                try:
                    await self._round()
                except (aiohttp.ClientError, OSError, TimeoutError):
                    pass
                except Exception as error:
                    self.failed = error
                    raise
                await asyncio.sleep(KUBELET_SECONDS)

    async def _round(self) -> None:
        for pod in (await self._ask("GET", PATHS["pods"]))["items"]:
            await self._tend(pod)

    async def _tend(self, pod: Json) -> None:
        meta, phase = pod["metadata"], pod["status"].get("phase")
        if "deletionTimestamp" not in meta and meta["name"] not in self.ran:
            self.ran.append(meta["name"])
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if "deletionTimestamp" in meta:
            if phase in ("Pending", "Running"):
                await self._says(path, pod_status("Failed", {"analyze": {"terminated": {"exitCode": 137}}}))
            await self._ask("DELETE", path, {"gracePeriodSeconds": 0})
        elif phase == "Pending":
            if "nodeName" not in pod["spec"]:
                await self._ask("POST", f"{path}/binding", _binding(meta["name"]))
            await self._says(path, pod_status("Running", {"analyze": {"running": {}}}))
            self._since[meta["uid"]] = time.monotonic()
        elif phase == "Running" and self._done(meta):
            await self._reports(meta)
            await self._says(path, pod_status("Succeeded", {"analyze": {"terminated": {"exitCode": 0}}}))

    def _done(self, meta: Json) -> bool:
        if self.holds and not meta["labels"][names.ATTEMPT_LABEL].startswith("p"):
            return False
        return time.monotonic() > self._since.get(meta["uid"], 0) + self.run_seconds

    async def _reports(self, meta: Json) -> None:
        """The worker's write, with the version that it read: never over a newer attempt."""
        labels = meta["labels"]
        name = labels[names.JOB_LABEL]
        path = f"/apis/{names.API_VERSION}/namespaces/{meta['namespace']}/{names.JOB_PLURAL}/{name}"
        for _ in range(20):
            job = await self._ask("GET", path)
            run = job.get("status", {}).get("run", {})
            attempt = labels[names.ATTEMPT_LABEL]
            if job.get("metadata", {}).get("uid") != labels[names.UID_LABEL]:
                return
            if attempt.startswith("p"):
                status: Json = {"preview": manifest(make_preview(name=name))}
            elif attempt == str(run.get("attempt")):
                status = {"result": manifest(make_result(generation=run["generation"]))}
            else:
                return
            body = {"metadata": {"resourceVersion": job["metadata"]["resourceVersion"]}, "status": status}
            if (await self._ask("PATCH", f"{path}/status", body)).get("code") != 409:
                return

    async def _says(self, path: str, status: Json) -> None:
        await self._ask("PATCH", f"{path}/status", {"status": status})

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer; of a refusal that passes (gone, conflict) too. Raises ClientError on the server's faults."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body)
        async with self._http.request(method, path, data=data, headers={"Content-Type": kind}) as answer:
            if answer.status >= 500 or answer.status == 429:
                answer.raise_for_status()
            found: Json = await answer.json()
            return found


def _binding(name: str) -> Json:
    target = {"apiVersion": "v1", "kind": "Node", "name": "node-1"}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}


# --- the proxy ----------------------------------------------------------------------------------------------


@dataclass
class Call:
    """A request that came through the proxy."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    number: int
    """Counted from 0, over all calls."""
    status: int = 0
    """What was answered; 0 when nothing was."""

    @property
    def watch(self) -> bool:
        return "watch" in self.query

    @property
    def writes(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH", "DELETE")

    @property
    def what(self) -> Json:
        """The parsed body."""
        found: Json = json.loads(self.body) if self.body else {}
        return found


@dataclass(frozen=True)
class Fault:
    """What the proxy does to a call, in this order; a field that is not set does nothing."""

    delay_seconds: float = 0.0
    before: Callable[[], None] | None = None
    """Called in a thread before the call is forwarded."""
    drop_before: bool = False
    """Close the connection; nothing is forwarded."""
    status: int | None = None
    """Answer this; nothing is forwarded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = "Injected"
    after: Callable[[], None] | None = None
    """Called in a thread after the API server has done it, before its answer is passed on."""
    drop_after: bool = False
    """Close the connection after the API server has done it; its answer is lost."""


Rule = Callable[[Call], Fault | None]


class FaultProxy(Running):
    """Stands between an operator and its API server; forwards everything until `rule` says otherwise.

    lab.start_operator("one", KUBECONFIG=str(proxy.kubeconfig))
    proxy.rule = lambda call: Fault(status=503) if call.watch else None
    """

    def __init__(self, plane: ControlPlane) -> None:
        self.rule: Rule | None = None
        self.calls: list[Call] = []
        self.answer: Callable[[Call, bytes], bytes] | None = None
        """Changes an answer that is no watch."""
        self._plane = plane
        self._background: Background | None = None
        self._watches: dict[asyncio.Task[Any], tuple[str, web.StreamResponse]] = {}
        self.port = free_ports(1)[0]
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = plane.folder / f"kubeconfig-proxy-{self.port}"

    def start(self) -> None:
        self._background = Background()
        text = self._plane.kubeconfig.read_text()
        self.kubeconfig.write_text(text.replace(self._plane.url, self.url))
        self._background.call(self._serve())

    def stop(self) -> None:
        if self._background is None:
            return
        self._background.call(self._close())
        self._background.close()
        self._background = None

    def inject(self, part: str, line: Json) -> int:
        """Send a line into every running watch of a path with that part; to how many."""
        return int(self._call(self._inject(part, json.dumps(line).encode() + b"\n")))

    def cut(self, part: str = "") -> int:
        """End every running watch of a path with that part, in the midst of it; how many."""
        return int(self._call(self._cut(part)))

    def watching(self, part: str) -> int:
        """How many watches run of a path with that part."""
        return sum(part in path for path, _ in list(self._watches.values()))

    def writes(self, part: str = "") -> list[Call]:
        """The writes so far to a path with that part."""
        return [call for call in list(self.calls) if call.writes and part in call.path]

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._background is not None
        return self._background.call(work)

    async def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._plane.folder / "apiserver.crt", self._plane.folder / "apiserver.key")
        self._upstream = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusting(self._plane)),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()

    async def _close(self) -> None:
        await self._cut("")
        await self._runner.cleanup()
        await self._upstream.close()

    async def _inject(self, part: str, line: bytes) -> int:
        found = [answer for path, answer in self._watches.values() if part in path]
        for answer in found:
            await answer.write(line)
        return len(found)

    async def _cut(self, part: str) -> int:
        found = [task for task, (path, _) in self._watches.items() if part in path]
        for task in found:
            task.cancel()
        return len(found)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Call(request.method, request.path, dict(request.query), body, len(self.calls))
        self.calls.append(call)
        fault = (self.rule(call) if self.rule else None) or Fault()
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        await _run(fault.before)
        if fault.drop_before:
            return _dropped(request)
        if fault.status is not None:
            call.status = fault.status
            return web.json_response(_refusal(fault), status=fault.status, headers=fault.headers)
        return await self._forward(request, call, fault)

    async def _forward(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        headers = {key: value for key, value in request.headers.items() if key.lower() not in NOT_FORWARDED}
        url = self._plane.url + request.path_qs
        try:
            async with self._upstream.request(
                request.method, url, data=call.body or None, headers=headers
            ) as found:
                call.status = found.status
                passed = {k: v for k, v in found.headers.items() if k.lower() not in NOT_FORWARDED}
                if call.watch and found.status == 200:
                    return await self._stream(request, found, passed)
                content = await found.read()
        except (aiohttp.ClientError, OSError):
            return _dropped(request)
        await _run(fault.after)
        if fault.drop_after:
            return _dropped(request)
        content = self.answer(call, content) if self.answer else content
        return web.Response(status=call.status, body=content, headers=passed)

    async def _stream(
        self, request: web.Request, found: aiohttp.ClientResponse, headers: Json
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._watches[task] = (request.path, answer)
        try:
            # Whole lines, so that one that is injected stands between two.
            async for line in _lines(found):
                await answer.write(line)
        finally:
            del self._watches[task]
        return answer


async def _lines(found: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in found.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


async def _run(what: Callable[[], None] | None) -> None:
    if what is not None:
        await asyncio.to_thread(what)


def _dropped(request: web.Request) -> web.Response:
    """The connection is closed without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(fault: Fault) -> Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": fault.reason,
        "code": fault.status,
        "message": "injected by a test",
    }


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a node's power cut does, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


# --- the invariants -----------------------------------------------------------------------------------------


def invariants(lab: FaultLab, *, strays: bool = False, restart: bool = True) -> None:
    """What is true after every fault. Call it at the end, when the jobs rest; it deletes them.

    `strays`: two attempts of one job may have been alive at a time, as after a create that was late.
    `restart=False`: a timer runs (a retry, a deadline), so a new operator may rightly do something.
    """
    caught_up(lab)
    assert violations(lab.record.looks, strays=strays) == []
    for process in lab.operators:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    lab.operators.clear()
    if restart:
        _restarted(lab)
    _deleted(lab)
    caught_up(lab)
    assert violations(lab.record.looks, strays=strays) == []


def caught_up(lab: FaultLab) -> None:
    """Wait until the record holds the newest version of every ScoringJob and child."""
    for kind, path in PATHS.items():
        for item in lab.http.get(path).raise_for_status().json()["items"]:
            meta = item["metadata"]
            lab.until(
                lambda kind=kind, meta=meta: (
                    int(lab.record.version(kind, meta["uid"]) or 0) >= int(meta["resourceVersion"])
                )
            )


def _restarted(lab: FaultLab) -> None:
    """An operator that knows nothing comes, looks at everything, and changes nothing."""
    before = _versions(lab)
    lab.start_operator("after-the-fault", PLAYERSCORE_LEASE_NAME="after-the-fault")
    lab.leads("after-the-fault")
    looks = "scoringjob_reconciles_total"
    lab.until(lambda: lab.metric("after-the-fault", looks) >= len(lab.jobs()))
    lab.settle()
    assert _versions(lab) == before, "a restart of the operator changed something"
    assert lab.stop_operator() == 0


def _versions(lab: FaultLab) -> dict[str, str]:
    found = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in lab.jobs()}
    return found | {item["metadata"]["name"]: item["metadata"]["uid"] for item in lab.children()}


def _deleted(lab: FaultLab) -> None:
    """Nobody but the API server and its garbage collector is needed to delete."""
    lab.plane.kubectl("delete", "scoringjobs", "-A", "--all", "--timeout=60s")
    lab.until(lambda: lab.jobs() == [] and lab.children() == [])


def violations(looks: Sequence[Look], *, strays: bool = False) -> list[str]:
    """What the record shows that must never be, in words."""
    jobs: dict[str, list[Look]] = {}
    for look in looks:
        if look.kind == names.JOB_PLURAL and not look.gone:
            jobs.setdefault(look.uid, []).append(look)
    found = [text for history in jobs.values() for text in _of_job(history)]
    found += _overlaps([look for look in looks if look.kind == "jobs"], by_attempt=strays)
    return found + _overlaps([look for look in looks if look.kind == "pods"], by_attempt=True)


def _of_job(history: Sequence[Look]) -> list[str]:
    found = []
    name = history[0].body["metadata"]["name"]
    for before, after in itertools.pairwise(history):
        if _backwards(before, after):
            found.append(f"{name}: from {before.step} back to {after.step}")
        if before.step in FINISHED and _verdict(before) != _verdict(after):
            found.append(f"{name}: changed after its end, from {_verdict(before)} to {_verdict(after)}")
    return found + [f"{name}: {look.step} without {lack}" for look in history if (lack := _lack(look))]


def _backwards(before: Look, after: Look) -> bool:
    """A step may only go back when a person has edited the spec in between."""
    if before.step in FINISHED:
        return before.step != after.step
    if not before.step or after.step in FINISHED:
        return False
    if before.status.get("observedGeneration") != after.status.get("observedGeneration"):
        return False
    return not after.step or ORDER.index(Step(after.step)) < ORDER.index(Step(before.step))


def _verdict(look: Look) -> tuple[Any, Any]:
    return look.status.get("run", {}).get("attempt"), look.status.get("result")


def _lack(look: Look) -> str:
    """What a terminal step lacks."""
    if look.step == Step.COMPLETED:
        return "" if look.status.get("result") else "a result"
    if look.step == Step.FAILED:
        told = [item for item in look.status.get("conditions", []) if item["type"] == "Succeeded"]
        ok = told and told[0]["status"] == "False" and told[0]["reason"] and told[0]["message"]
        return "" if ok else "a reason"
    return ""


def _overlaps(looks: Sequence[Look], *, by_attempt: bool) -> list[str]:
    """Children of one ScoringJob (and of one attempt of it) that were alive at the same time."""
    alive: dict[tuple[str, str], dict[str, str]] = {}
    found = []
    for look in looks:
        kind = "preview" if look.attempt.startswith("p") else "analysis"
        together = alive.setdefault((look.uid, look.attempt if by_attempt else kind), {})
        own, name = look.body["metadata"]["uid"], look.body["metadata"]["name"]
        if look.ended or (look.kind == "pods" and "deletionTimestamp" in look.body["metadata"]):
            together.pop(own, None)
            continue
        together[own] = name
        if len(together) > 1:
            found.append(f"alive at the same time: {sorted(together.values())}")
    return found

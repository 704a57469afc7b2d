"""What keeps a pod from running, or ended it, and what is done about it: one table. Pure; only data decides here.

The words are those of the scheduler, the kubelet, the container runtimes, the Job controller and the API server;
`tests/support/kubelet/` holds real ones with their sources, and docs/troubles.md is made of this table. The first
row that fits is taken. What nobody foresaw is waited for, or repeated without being counted where the worker's
own code never ran: the cluster's trouble is never the video's.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from playerscore.names import Reason


class Place(StrEnum):
    """Where the trouble stands."""

    JOB = "events of the Job"
    SCHEDULER = "condition PodScheduled"
    START = "events of the pod"
    CONTAINER = "a container that waits"
    POD = "reason of the failed pod"
    TAKEN = "condition DisruptionTarget"
    STORED = "a download from this installation's own store that failed"
    ENDED = "a container that ended"


class Verdict(StrEnum):
    """What follows, once the trouble was seen for as long as the row's grace."""

    WAIT = "wait"
    """Until the start deadline."""
    RETRY = "another attempt, not counted"
    COUNTED = "another attempt, counted"
    FATAL = "the job fails"


class Row(NamedTuple):
    """One kind of trouble."""

    slug: str
    """Its name, in `status.run.trouble` and in the runbook."""
    place: Place
    reasons: str
    """A pattern for the whole reason (or, of an ended container, its reason or its failure's code)."""
    message: str
    """A pattern that is searched in the message, in whatever case."""
    verdict: Verdict
    means: str
    todo: str
    grace_sec: int = 0
    """For at least so long it is seen before anything but waiting follows."""
    code: Reason = Reason.POD_PENDING
    """The reason of the job's condition."""
    hurries: bool = True
    """Whether the start deadline runs meanwhile."""
    bare: bool = False
    """Whether it only says that an earlier trouble goes on, and not which."""

    def fits(self, place: Place, reason: str, message: str) -> bool:
        """Whether this is the trouble that those words tell."""
        return (
            self.place is place
            and re.fullmatch(self.reasons, reason) is not None
            and re.search(self.message, message, re.IGNORECASE) is not None
        )


ANY = ""
PULLS = "ErrImagePull|ImagePullBackOff|RegistryUnavailable|SignatureValidationFailed|ImageInspectError"
STARTS = "CreateContainerError|RunContainerError|PreCreateHookError|PreStartHookError|PostStartHookError"
NO_PROGRAM = (
    r"executable file not found|exec format error|no command specified"
    r"|exec: \"[^\"]*\": (stat [^:]*: no such file|permission denied)|exec [^:]*: (no such file|permission denied)"
)
PASSING = (
    r"timeout|timed? ?out|deadline exceeded|canceled|connection (refused|reset)|no route to host|unreachable"
    r"|no such host|server misbehaving|name resolution|unexpected eof|: eof\b|broken pipe|tls handshake|closed"
    r"|too ?many ?requests|rate limit|qps exceeded|status( code)?:? ?(from [^:]*: ?)?(408|425|429|5\d\d)"
    r"|(408|425|429|5\d\d) \(?(request|too|internal|bad|service|gateway|unknown)|service unavailable"
    r"|no space left|input/output error|read-only file system|disk quota"
    r"|(register|extract|apply|prepare|commit|stat) (layer|snapshot|extraction)|layers from manifest"
    r"|(copying|reading|writing|fetching|storing|downloading) (blob|layer|config)|content (descriptor|digest|sha)"
    r"|failed commit on ref|failed to copy|failed to unpack"
)
"""Of a pull: what networks, registries under load and full disks say. A layer is there once its manifest is."""

ROWS: tuple[Row, ...] = (
    # --- the Job controller cannot create the pod -------------------------------------------------------------
    Row(
        "quota",
        Place.JOB,
        "FailedCreate",
        r"exceeded quota|status unknown for quota|quota evaluation timed out",
        Verdict.WAIT,
        "a ResourceQuota of the namespace has no room for the pod",
        "wait, it starts by itself; or raise the quota (`kubectl describe quota`)",
        code=Reason.QUOTA_EXCEEDED,
        hurries=False,
    ),
    Row(
        "limits",
        Place.JOB,
        "FailedCreate",
        r"(maximum|minimum) \S+ usage per|limit to request ratio|must specify|insufficient quota to",
        Verdict.WAIT,
        "the pod's resources do not fit what a LimitRange or a ResourceQuota asks of each pod",
        "correct the runtime's `resources`, or the LimitRange",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "pod-security",
        Place.JOB,
        "FailedCreate",
        r"violates PodSecurity|unable to validate against any security context constraint",
        Verdict.WAIT,
        "the namespace's Pod Security (or OpenShift's SCC) refuses the pod",
        "the message names the field; the pods pass `restricted`, unless the cluster adds something to them",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "account",
        Place.JOB,
        "FailedCreate",
        r"service ?account",
        Verdict.WAIT,
        "the namespace has no ServiceAccount `playerscore-worker` any more",
        "add the namespace to `jobNamespaces` of the chart again",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "class",
        Place.JOB,
        "FailedCreate",
        r"PriorityClass|RuntimeClass",
        Verdict.WAIT,
        "a PriorityClass or RuntimeClass that the job or its runtime names is not there",
        "create it, or correct the name",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "policy",
        Place.JOB,
        "FailedCreate",
        r"denied",
        Verdict.WAIT,
        "an admission webhook or policy refuses the pod",
        "allow pods with the label `playerscore.dev/role: worker`, or do as the policy says",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "not-created",
        Place.JOB,
        "FailedCreate",
        ANY,
        Verdict.WAIT,
        "the API server did not take the pod, mostly because something that it asks does not answer",
        "wait, the Job controller tries again; for long: look at the webhook or the API server that is named",
        code=Reason.CREATE_REFUSED,
    ),
    Row(
        "suspended",
        Place.JOB,
        "Suspended",
        ANY,
        Verdict.WAIT,
        "somebody else suspended the Job, mostly Kueue with `manageJobsWithoutQueueName`",
        "name a queue in `spec.queueName`, or keep that controller from Jobs of the operator",
        code=Reason.SUSPENDED_ELSEWHERE,
    ),
    # --- the scheduler -----------------------------------------------------------------------------------------
    Row(
        "gated",
        Place.SCHEDULER,
        "SchedulingGated",
        ANY,
        Verdict.WAIT,
        "something put a scheduling gate on the pod",
        "find out which controller lifts it (`kubectl get pod -o yaml`, `schedulingGates`)",
    ),
    Row(
        "unschedulable",
        Place.SCHEDULER,
        "Unschedulable",
        ANY,
        Verdict.WAIT,
        "no node has room, the wanted labels, or a tolerated taint",
        "add nodes, or a runtime that fits them; the message counts the nodes by what they lack",
    ),
    Row(
        "scheduler",
        Place.SCHEDULER,
        ".*",
        ANY,
        Verdict.WAIT,
        "the scheduler failed, and tries again",
        "for long: look at the scheduler",
    ),
    # --- a pod that starts -------------------------------------------------------------------------------------
    Row(
        "volume",
        Place.START,
        "FailedMount|FailedAttachVolume|FailedMapVolume",
        ANY,
        Verdict.WAIT,
        "a volume of the pod cannot be mounted yet",
        "the message names what is missing: a ConfigMap, a token, the node's disk",
    ),
    Row(
        "sandbox",
        Place.START,
        "FailedCreatePodSandBox|FailedPodSandBoxStatus|NetworkNotReady|FailedPrepareDynamicResources|FailedSync",
        ANY,
        Verdict.RETRY,
        "the node cannot make the pod's sandbox, its network or its devices",
        "look at the node's network plugin and container runtime; another attempt may find another node",
        grace_sec=300,
        code=Reason.POD_REFUSED,
    ),
    Row(
        "pulling",
        Place.START,
        "Pulling|FailedToRetrieveImagePullSecret",
        ANY,
        Verdict.WAIT,
        "the image is on its way to the node",
        "for long: a nearer registry, or images that are loaded before they are needed",
    ),
    Row(
        "node-not-ready",
        Place.START,
        "NodeNotReady",
        ANY,
        Verdict.WAIT,
        "the pod's node does not answer",
        "the cluster replaces the pod once the node is surely gone",
    ),
    # --- images ------------------------------------------------------------------------------------------------
    Row(
        "image-name",
        Place.CONTAINER,
        "InvalidImageName",
        ANY,
        Verdict.FATAL,
        "the image's name is none",
        "correct `image` of the runtime; then create a new job",
        code=Reason.IMAGE_PULL,
    ),
    Row(
        "image-never",
        Place.CONTAINER,
        "ErrImageNeverPull",
        ANY,
        Verdict.FATAL,
        "the image is not on the node, and must not be pulled",
        "load it onto the nodes, or allow the pull; then create a new job",
        grace_sec=60,
        code=Reason.IMAGE_PULL,
    ),
    Row(
        "image-signature",
        Place.CONTAINER,
        PULLS,
        r"signature ?validation ?failed",
        Verdict.FATAL,
        "the node refuses the image because of its signature",
        "sign the image, or correct the node's policy; then create a new job",
        grace_sec=60,
        code=Reason.IMAGE_PULL,
    ),
    Row(
        "registry",
        Place.CONTAINER,
        PULLS,
        PASSING,
        Verdict.WAIT,
        "the registry, the network or the node's disk does not do its part just now",
        "wait, the kubelet tries again; for long: the message says who does not answer",
    ),
    Row(
        "image-denied",
        Place.CONTAINER,
        PULLS,
        r"unauthorized|denied|forbidden|authorization failed|no basic auth|authentication required|\b40[13]\b",
        Verdict.FATAL,
        "the registry does not let the node have the image, or hides that there is none",
        "correct the pull secret or the runtime's `image`; then create a new job",
        grace_sec=600,
        code=Reason.IMAGE_PULL,
    ),
    Row(
        "image-missing",
        Place.CONTAINER,
        PULLS,
        r"manifest ?unknown|name ?unknown|manifest for \S+ not found|failed to resolve (reference|image).*not found"
        r"|^[\w./:@-]+: not found$|no match(ing manifest)? for|does not exist|choosing an image from manifest list|no image found",
        Verdict.FATAL,
        "the registry has no such image, or none for this kind of machine",
        "push it, or correct the runtime's `image`; then create a new job",
        grace_sec=300,
        code=Reason.IMAGE_PULL,
    ),
    Row(
        "image-backoff",
        Place.CONTAINER,
        "ImagePullBackOff",
        r"^(back-off pulling image \S*)?$",
        Verdict.WAIT,
        "the kubelet pauses before it pulls again",
        "see what the pull itself says (`kubectl describe pod`)",
        bare=True,
    ),
    Row(
        "image",
        Place.CONTAINER,
        PULLS,
        ANY,
        Verdict.WAIT,
        "the image cannot be pulled just now",
        "wait, the kubelet tries again; for long: the message has the runtime's words",
    ),
    # --- containers that cannot be made ------------------------------------------------------------------------
    Row(
        "root",
        Place.CONTAINER,
        "CreateContainerConfigError",
        r"runAsNonRoot|non-root policy",
        Verdict.FATAL,
        "the image wants to run as root, which no worker may",
        "use an image with a numeric user; then create a new job",
        code=Reason.POD_CONFIG,
    ),
    Row(
        "config",
        Place.CONTAINER,
        "CreateContainerConfigError",
        ANY,
        Verdict.WAIT,
        "a Secret, ConfigMap or key is not there yet, or the kubelet cannot read it just now",
        "create what the message names; the pod starts by itself",
    ),
    Row(
        "program",
        Place.CONTAINER,
        STARTS,
        NO_PROGRAM,
        Verdict.FATAL,
        "the image has not the program, or not for this kind of machine",
        "correct the runtime's `image`; then create a new job",
        grace_sec=60,
        code=Reason.POD_CONFIG,
    ),
    Row(
        "container",
        Place.CONTAINER,
        STARTS,
        ANY,
        Verdict.RETRY,
        "the node's runtime cannot make the container: busy, a full disk, a device that does not answer",
        "look at the node; another attempt may find another one",
        grace_sec=300,
        code=Reason.POD_REFUSED,
    ),
    Row(
        "crash-loop",
        Place.CONTAINER,
        "CrashLoopBackOff",
        ANY,
        Verdict.WAIT,
        "the reporter ended before its work, and is started again",
        "its log: `kubectl logs -c report --previous`",
    ),
    Row(
        "waiting",
        Place.CONTAINER,
        ".*",
        ANY,
        Verdict.WAIT,
        "the container waits for something that this table does not know",
        "read the message",
    ),
    # --- pods that are taken away, and pods that failed as a whole ------------------------------------------------
    Row(
        "taken",
        Place.TAKEN,
        ".*",
        ANY,
        Verdict.RETRY,
        "the cluster takes the pod away: evicted, preempted, drained, or its node is gone",
        "nothing: the Job makes another pod; often: a higher priority, or more memory and disk",
        code=Reason.DISRUPTED,
    ),
    Row(
        "too-much-disk",
        Place.POD,
        "Evicted",
        r"usage of emptydir volume|exceeds the total limit of containers|exceeded its local ephemeral storage",
        Verdict.COUNTED,
        "the worker wrote more than its volumes may hold",
        "more ephemeral storage in the runtime's `resources`, or a smaller `videoLimits.bytes`",
        code=Reason.WORKER_FAILED,
    ),
    Row(
        "evicted",
        Place.POD,
        "Evicted|Preempting|Preempted",
        ANY,
        Verdict.RETRY,
        "the node had no room any more and ended the pod",
        "nodes with more memory and disk, or requests that say what the worker needs",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "node-ends",
        Place.POD,
        "NodeShutdown|Shutdown|Terminated|NodeLost",
        ANY,
        Verdict.RETRY,
        "the node was shut down, or lost",
        "nothing: another attempt follows on another node",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "node-full",
        Place.POD,
        "OutOf.+",
        ANY,
        Verdict.RETRY,
        "the node had less left than the scheduler thought",
        "nothing; often: pods that are bound past the scheduler, or devices that come and go",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "device",
        Place.POD,
        "UnexpectedAdmissionError",
        ANY,
        Verdict.RETRY,
        "the kubelet could not give the pod its devices or CPUs",
        "look at the device plugin of that node (`kubectl get pods -n kube-system -o wide`)",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "alignment",
        Place.POD,
        "TopologyAffinityError|SMTAlignmentError|EmptyPodSharedPoolError",
        ANY,
        Verdict.RETRY,
        "the node cannot give CPUs, memory and devices that lie together as its policy asks",
        "resources that fit the node's topology policy: whole CPUs, a multiple of the threads of a core",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "refused",
        Place.POD,
        ".*",
        ANY,
        Verdict.RETRY,
        "the kubelet refused the pod, or the cluster ended it before the worker ran",
        "read the message; often on the same node: that node, its labels or its version",
        code=Reason.POD_REFUSED,
    ),
    # --- containers that ended by what the worker did not do ------------------------------------------------------
    Row(
        "no-program",
        Place.ENDED,
        "StartError|ContainerCannotRun",
        NO_PROGRAM,
        Verdict.FATAL,
        "the image has not the program, or not for this kind of machine",
        "correct the runtime's `image`; then create a new job",
        code=Reason.POD_CONFIG,
    ),
    Row(
        "not-started",
        Place.ENDED,
        "StartError|ContainerCannotRun",
        ANY,
        Verdict.RETRY,
        "the node's runtime could not start the container: its GPU driver, its disk, its control groups",
        "look at the node; another attempt may find another one",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "other-release",
        Place.ENDED,
        "TASK_UNREADABLE",
        ANY,
        Verdict.FATAL,
        "the runtime's image is more than one release older or newer than the operator",
        "give the runtime an `image` of the operator's release; then create a new job",
        code=Reason.POD_CONFIG,
    ),
    Row(
        "lost-sight",
        Place.ENDED,
        "ContainerStatusUnknown",
        ANY,
        Verdict.RETRY,
        "the kubelet lost sight of the container: mostly the node was restarted",
        "nothing: another attempt follows",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "own-store",
        Place.STORED,
        "SOURCE_UNAVAILABLE|SOURCE_TOO_SLOW|SOURCE_DENIED",
        r"address (answers|failed|sends)|cannot be resolved|longer than allowed|bytes",
        Verdict.RETRY,
        "this installation's own store does not give out what it holds: away, slow, or its credentials changed",
        "see the store's pod and volume, or your S3 and its credentials",
        code=Reason.SERVICE_AWAY,
    ),
    Row(
        "own-services",
        Place.ENDED,
        "SOURCE_UNAVAILABLE|STORE_UNAVAILABLE|CLUSTER_UNAVAILABLE|TOO_MANY_REQUESTS",
        r"no address of the video came|the broker answers|store_unavailable|cluster_unavailable"
        r"|does not answer|the api server does not take|too many requests|temporary failure in name resolution",
        Verdict.RETRY,
        "this installation's own API or store, or the cluster's DNS, does not answer",
        "see PlayerscoreApiAbsent, PlayerscoreApiErrors in the runbooks",
        code=Reason.SERVICE_AWAY,
    ),
    Row(
        "machine",
        Place.ENDED,
        "WORKER_FAILED|Error",
        r"no space left on device|read-only file system|input/output error|stale file handle"
        r"|no cuda-capable device|gpu is lost|fallen off the bus|uncorrectable ecc|driver/library version mismatch"
        r"|cuda driver version is insufficient|cuda initialization: (unexpected error|cuda unknown error)",
        Verdict.RETRY,
        "the node's disk or GPU failed under the worker",
        "look at the node (`dmesg`, `nvidia-smi`), take it out of service",
        code=Reason.POD_REFUSED,
    ),
    Row(
        "worker",
        Place.ENDED,
        ".*",
        ANY,
        Verdict.COUNTED,
        "the worker failed",
        "the pod's log",
        code=Reason.WORKER_FAILED,
    ),
)


NAMES = re.compile(r"\"[^\"\s]*\"|https?://[^\s\"]+")
"""What a message quotes: images, addresses and programs, which may be called `layer` or `1.0-SNAPSHOT`."""


def find(place: Place, reason: str, message: str) -> Row | None:
    """The first row that fits those words; None only where nothing of that reason is a trouble (events)."""
    bare = NAMES.sub('""', message)
    for name in {found.strip('"') for found in NAMES.findall(message)} - {""}:
        bare = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "", bare)
    return next((row for row in ROWS if row.fits(place, reason, bare)), None)


def words(reason: str, message: str) -> str:
    """The cluster's own words, for a person to read."""
    return f"{reason}: {message}".rstrip(": ")

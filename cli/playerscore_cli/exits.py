"""What the process ends with: one exit code for each kind of trouble, the same for one error code for ever."""

from typing import Any, Final

from playerscore.errors import CATALOGUE, PlayerscoreError

DONE: Final = 0
MACHINE: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
NOT_FOUND: Final = 4
JOB_FAILED: Final = 5
TIMED_OUT: Final = 6
NOT_ALLOWED: Final = 7
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

MEANINGS: Final[dict[int, str]] = {
    DONE: "done; for `wait`, `watch` and `--wait`: the job got there",
    MACHINE: "the cluster, the REST API, the store or this machine failed; trying again may help",
    USAGE: "wrong usage: an unknown option, a missing or malformed argument",
    REFUSED: "refused: the rules of the flow, or a value that is not allowed; nothing was changed",
    NOT_FOUND: "there is no such job, frame, track or file, or the job was deleted while it was waited for",
    JOB_FAILED: "the job that was waited for FAILED; the error's code is the reason",
    TIMED_OUT: "`--timeout` passed before the job got there; the job goes on",
    NOT_ALLOWED: "not logged in, or Kubernetes' access rules do not allow it",
    INTERRUPTED: "interrupted by Ctrl-C; the job goes on",
    BROKEN_PIPE: "whoever read the output went away",
}

OWN_CODES: Final[dict[str, int]] = {"USAGE": USAGE, "TIMED_OUT": TIMED_OUT}
"""Codes that only the command line knows, beside those of the catalogue."""


class JobFailedError(PlayerscoreError):
    """The job that was waited for FAILED; the code is its reason."""


class TimedOutError(PlayerscoreError):
    """The job did not get there in time."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__("TIMED_OUT", message, **details)


def exit_code(error: PlayerscoreError) -> int:
    """What the process ends with."""
    return JOB_FAILED if isinstance(error, JobFailedError) else of_code(error.code)


def of_code(code: str) -> int:
    """The exit code of an error code; MACHINE for one that nobody knows."""
    if code in OWN_CODES:
        return OWN_CODES[code]
    status = CATALOGUE[code].http_status if code in CATALOGUE else 500
    if status in (401, 403):
        return NOT_ALLOWED
    if status == 404:
        return NOT_FOUND
    return MACHINE if status == 429 or status >= 500 else REFUSED

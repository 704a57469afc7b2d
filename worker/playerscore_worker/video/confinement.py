"""What a decoder has no use for, given up before it sees the first byte of a video.

Limits of the process hold everywhere. Where the kernel has them, Landlock leaves it the video's files to read
(and Python's own modules), and a seccomp filter leaves it no socket, no new process, no other program: code that a hostile video brings in
finds nothing to talk to. Threads of the decoder start later and are bound likewise.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence
from typing import Final

_PRCTL_NO_NEW_PRIVILEGES: Final = 38
_PRCTL_SECCOMP: Final = 22
_SECCOMP_FILTER: Final = 2

# --- Landlock ---
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
# By version of Landlock: how many rights to files it knows, and the length of the attributes.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_FILE_RIGHTS_NOW: Final = 16
_NETWORK_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11

# --- seccomp: numbers of linux/audit.h, linux/filter.h and each machine's unistd.h ---
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000
_AT_NUMBER, _AT_MACHINE, _AT_FIRST_ARGUMENT = 0, 4, 16
_CLONE3: Final = 435
_CLONE_THREAD: Final = 0x10000
_X32: Final = 0x4000_0000
# socket, socketpair, connect, execve, execveat, ptrace, io_uring_setup, bpf, userfaultfd, perf_event_open,
# process_vm_readv, process_vm_writev, mount, unshare, setns, add_key, keyctl, pidfd_getfd; fork and vfork.
_MACHINES: Final = {
    "x86_64": (
        0xC000_003E,
        56,
        (41, 53, 42, 59, 322, 101, 425, 321, 323, 298, 310, 311, 165, 272, 308, 248, 250, 438, 57, 58),
    ),
    "aarch64": (
        0xC000_00B7,
        220,
        (198, 199, 203, 221, 281, 117, 425, 280, 282, 241, 270, 271, 40, 97, 268, 217, 219, 438),
    ),
}
"""By machine: its number for seccomp, that of clone, and what is refused."""


def confine(paths: Sequence[str], memory_bytes: int, cpu_sec: int) -> None:
    """Leave this process the video's files, memory and CPU up to the limits, and nothing else that can be taken away."""
    _limit(memory_bytes, cpu_sec)
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PRCTL_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _leave_only(paths, libc)
    _refuse_calls(libc)


def _limit(memory_bytes: int, cpu_sec: int) -> None:
    """No memory without end, core dumps, large files, many files."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_sec),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 20),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))


def landlock_version(libc: ctypes.CDLL) -> int:
    """0 when the kernel has none, or its owner switched it off."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def _leave_only(paths: Sequence[str], libc: ctypes.CDLL) -> None:
    """Of all files only these and modules, to read; of the network no TCP; of other processes no signals."""
    version = landlock_version(libc)
    if not version:
        return
    rights = (1 << _FILE_RIGHTS.get(version, _FILE_RIGHTS_NOW)) - 1
    attributes = struct.pack("=QQQ", rights, _NETWORK_RIGHTS, _SCOPES)
    length = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(_CREATE_RULESET, attributes, length, 0)
    if ruleset < 0:
        return
    # Libraries import some of their modules when they are first needed.
    folders = [(place, _READ_FILE | _READ_FOLDER) for place in sys.path if os.path.isdir(place)]
    for place, right in [*((path, _READ_FILE) for path in paths), *folders]:
        file = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", right, file), 0)
        os.close(file)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _refuse_calls(libc: ctypes.CDLL) -> None:
    """No sockets, no programs, no processes; clone is left for threads alone."""
    if platform.machine() not in _MACHINES:
        return
    number, clone, refused = _MACHINES[platform.machine()]
    refuse = [(_RETURN, 0, 0, _REFUSE | errno.EPERM)]
    steps = [(_LOAD, 0, 0, _AT_MACHINE), (_EQUAL, 1, 0, number), *refuse]
    steps += [(_LOAD, 0, 0, _AT_NUMBER), (_AT_LEAST, 0, 1, _X32), *refuse]
    for call in refused:
        steps += [(_EQUAL, 0, 1, call), *refuse]
    # The C library takes clone instead, whose flags can be looked at.
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    steps += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        *refuse,
    ]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), code)
    libc.prctl(_PRCTL_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program), 0, 0)

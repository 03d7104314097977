"""No network, no program, no process, no file changed, no signal sent: a filter of system calls.

Built by hand for the two machines we run on; see seccomp(2) and the kernel's
Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_GET_ACTION_AVAIL = 2
_TO_ALL_THREADS = 1
_ALLOW, _FAIL_WITH, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# BPF: load a word, compare it, test its bits, return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_INSTRUCTION = struct.Struct("=HBBI")
# Offsets in struct seccomp_data; the low half of an argument comes first on both machines.
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
_X32_CALLS = 0x40000000
_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# (x86_64, aarch64) numbers; None where a machine lacks the call.
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # the network, and whatever else talks to others
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # the calls that do other calls past this filter
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # programs and processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
    "setns": (308, 268),
    "unshare": (272, 97),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    # files
    "open_by_handle_at": (304, 265),
    "creat": (85, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    # the machine
    "mount": (165, 40),
    "umount2": (166, 39),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
}


@dataclass(frozen=True, slots=True)
class _Machine:
    """What differs from machine to machine: the kernel's name for it, and numbers of calls.

    ``opens`` are the calls that open a file, each with the place of its flags. ``signals`` and
    ``limits``, tgkill and prlimit64, say in their first argument to which process they are done.
    """

    audit: int
    column: int
    seccomp: int
    clone: int
    signals: int
    limits: int
    opens: tuple[tuple[int, int], ...]


# The same numbers on both: newer than the common table. Their flags are behind a pointer, which a
# filter cannot follow; the C library falls back on the older calls when they are not there.
_UNKNOWN_TO_FILTERS = (435, 437)  # clone3, openat2
_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0, 317, 56, 234, 302, ((2, 1), (257, 2))),
    "aarch64": _Machine(0xC00000B7, 1, 277, 220, 131, 261, ((56, 2),)),
}


class ConfinementUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine or kernel cannot confine a process."""


def check_confinement() -> None:
    """Raise ConfinementUnavailable when this process could not confine itself."""
    machine = _machine()
    action = ctypes.c_uint32(_FAIL_WITH)
    if _seccomp(machine, _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action)) != 0:
        raise ConfinementUnavailable(f"no seccomp filters: {os.strerror(ctypes.get_errno())}")


def confine() -> None:
    """Forbid all of it to every thread of this process, for good; the calls fail with EPERM.

    Raises ConfinementUnavailable when that cannot be had.
    """
    machine = _machine()
    program = b"".join(_program(machine, os.getpid()))
    buffer = ctypes.create_string_buffer(program, len(program))
    head = _Program(len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise ConfinementUnavailable(f"no_new_privs: {os.strerror(ctypes.get_errno())}")
    if _seccomp(machine, _SECCOMP_SET_MODE_FILTER, _TO_ALL_THREADS, ctypes.byref(head)) != 0:
        raise ConfinementUnavailable(f"seccomp: {os.strerror(ctypes.get_errno())}")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _machine() -> _Machine:
    name = os.uname().machine if sys.platform == "linux" else sys.platform
    try:
        return _MACHINES[name]
    except KeyError:
        raise ConfinementUnavailable(f"no filter is written for {name}") from None


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _seccomp(machine: _Machine, operation: int, flags: int, argument: object) -> int:
    number = ctypes.c_long(machine.seccomp)
    return int(_libc().syscall(number, ctypes.c_uint(operation), ctypes.c_uint(flags), argument))


def _program(machine: _Machine, own: int) -> Iterator[bytes]:
    """Yield the instructions: an unknown machine's calls kill, the forbidden ones fail.

    ``own`` is the process that they are for.
    """
    denied = _FAIL_WITH | errno.EPERM
    yield _step(_LOAD, _MACHINE)
    yield from _unless(_EQUAL, machine.audit, _KILL)
    yield _step(_LOAD, _NUMBER)
    # The second set of numbers of x86_64 would pass all that follows.
    yield from _when(_AT_LEAST, _X32_CALLS, denied)
    for number in _numbers(machine):
        yield from _when(_EQUAL, number, denied)
    for number in _UNKNOWN_TO_FILTERS:
        yield from _when(_EQUAL, number, _FAIL_WITH | errno.ENOSYS)
    for number, place in machine.opens:
        yield from _on_bits(number, place, _WRITING, there=denied, absent=_ALLOW)
    # A new thread is allowed, a new process is not.
    yield from _on_bits(machine.clone, 0, _CLONE_THREAD, there=_ALLOW, absent=denied)
    # abort() signals its own process; of limits 0 is whoever asks.
    yield from _only_to(machine.signals, own, denied)
    yield from _only_to(machine.limits, 0, denied)
    yield _step(_RETURN, _ALLOW)


def _numbers(machine: _Machine) -> Iterable[int]:
    columns = (numbers[machine.column] for numbers in _FORBIDDEN.values())
    return sorted(number for number in columns if number is not None)


def _when(test: int, value: int, result: int) -> Iterator[bytes]:
    yield _step(test, value, 0, 1)
    yield _step(_RETURN, result)


def _unless(test: int, value: int, result: int) -> Iterator[bytes]:
    yield _step(test, value, 1, 0)
    yield _step(_RETURN, result)


def _on_bits(number: int, place: int, bits: int, *, there: int, absent: int) -> Iterator[bytes]:
    """Decide a call by the bits of one of its arguments; other calls go on behind it."""
    yield _step(_EQUAL, number, 0, 4)
    yield _step(_LOAD, _ARGUMENTS + 8 * place)
    yield _step(_ANY_BIT, bits, 0, 1)
    yield _step(_RETURN, there)
    yield _step(_RETURN, absent)


def _only_to(number: int, process: int, denied: int) -> Iterator[bytes]:
    """Decide a call by its first argument; other calls go on behind it."""
    yield _step(_EQUAL, number, 0, 4)
    yield _step(_LOAD, _ARGUMENTS)
    yield _step(_EQUAL, process, 0, 1)
    yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, denied)


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    """One instruction; the two numbers say how many of the next are skipped."""
    return _INSTRUCTION.pack(code, when_true, when_false, value)

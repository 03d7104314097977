"""What a confined child may not: tried by one of this machine, and on the filter of each."""

from __future__ import annotations

import ast
import errno
import os
import struct
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from services.validator.app import run
from services.validator.sandbox import ChildCrashed, Limits, inspect_in_child
from services.validator.settings import ValidatorSettings
from shared.sandbox import confinement
from shared.sandbox.limits import UNCONFINED
from tests.support.sandbox import LIMITED, crash_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.validator.profile import Profile

# Numbers of calls on x86_64 and aarch64 as the kernel's tables have them, 0 for none.
FORBIDDEN = """
socket 41 198 socketpair 53 199 connect 42 203 accept 43 202 accept4 288 242 bind 49 200
listen 50 201 sendto 44 206 sendmsg 46 211 sendmmsg 307 269 recvfrom 45 207 recvmsg 47 212
recvmmsg 299 243 shmget 29 194 shmat 30 196 shmctl 31 195 msgget 68 186 msgsnd 69 189
msgrcv 70 188 msgctl 71 187 semget 64 190 semop 65 193 semtimedop 220 192 semctl 66 191
mq_open 240 180 mq_unlink 241 181 io_uring_setup 425 425 io_uring_enter 426 426
io_uring_register 427 427 execve 59 221 execveat 322 281 fork 57 0 vfork 58 0 ptrace 101 117
process_vm_readv 310 270 process_vm_writev 311 271 process_madvise 440 440 pidfd_open 434 434
pidfd_getfd 438 438 pidfd_send_signal 424 424 kill 62 129 tkill 200 130 rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240 kcmp 312 272 setns 308 268 unshare 272 97 setsid 112 157 setpgid 109 154
open_by_handle_at 304 265 creat 85 0 unlink 87 0 unlinkat 263 35 rename 82 0 renameat 264 38
renameat2 316 276 link 86 0 linkat 265 37 symlink 88 0 symlinkat 266 36 mkdir 83 0 mkdirat 258 34
rmdir 84 0 mknod 133 0 mknodat 259 33 truncate 76 45 ftruncate 77 46 chmod 90 0 fchmod 91 52
fchmodat 268 53 fchmodat2 452 452 chown 92 0 lchown 94 0 fchown 93 55 fchownat 260 54 utime 132 0
utimes 235 0 futimesat 261 0 utimensat 280 88 setxattr 188 5 lsetxattr 189 6 fsetxattr 190 7
setxattrat 463 463 removexattr 197 14 lremovexattr 198 15 fremovexattr 199 16
removexattrat 466 466 mount 165 40 umount2 166 39 move_mount 429 429 open_tree 428 428
fsopen 430 430 pivot_root 155 41 chroot 161 51 bpf 321 280 perf_event_open 298 241
userfaultfd 323 282 keyctl 250 219 add_key 248 217 request_key 249 218 init_module 175 105
finit_module 313 273 delete_module 176 106 kexec_load 246 104 kexec_file_load 320 294
reboot 169 142
"""
MACHINES = {
    # the kernel's name, then numbers: clone, tgkill, prlimit64, openat, read, futex
    "x86_64": (0xC000003E, 56, 234, 302, 257, 0, 202),
    "aarch64": (0xC00000B7, 220, 131, 261, 56, 63, 98),
}
ALLOWED, KILLED, REFUSED, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
OWN = 4711


def table(machine: str) -> dict[str, int]:
    words = FORBIDDEN.split()
    numbers = words[1 + [*MACHINES].index(machine) :: 3]
    return {name: int(n) for name, n in zip(words[::3], numbers, strict=True) if int(n)}


class Filter:
    """The filter of a machine, run as the kernel runs it: seccomp(2), bpf(4)."""

    def __init__(self, machine: str) -> None:
        written = confinement._program(confinement._MACHINES[machine], OWN)  # noqa: SLF001
        self._steps = [struct.unpack("=HBBI", step) for step in written]
        self.audit = MACHINES[machine][0]

    def answer(self, number: int, *arguments: int, audit: int = 0) -> int:
        padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
        data = struct.pack("=IIQ6Q", number, audit or self.audit, 0, *padded)
        at = word = 0
        while True:
            code, when_true, when_false, value = self._steps[at]
            at += 1
            if code == 0x06:
                return int(value)
            if code == 0x20:
                (word,) = struct.unpack_from("=I", data, value)
            else:
                holds = {0x15: word == value, 0x35: word >= value, 0x45: bool(word & value)}[code]
                at += when_true if holds else when_false


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def refused(machine: str, number: int, tried: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return which of these arguments of a call are refused; all others have to be allowed."""
    filter_ = Filter(machine)
    answers = {each: filter_.answer(number, *each) for each in tried}
    assert set(answers.values()) <= {REFUSED, ALLOWED}
    return [each for each, answer in answers.items() if answer == REFUSED]


def test_the_filter_refuses_each_of_these_calls(machine: str) -> None:
    filter_ = Filter(machine)
    numbers = table(machine)
    assert {name: filter_.answer(n) for name, n in numbers.items()} == dict.fromkeys(
        numbers, REFUSED
    )
    others = set(range(470)) - {*numbers.values(), *MACHINES[machine][1:4], 435, 437}
    assert {filter_.answer(n) for n in others} == {ALLOWED}
    assert [filter_.answer(n) for n in (435, 437)] == [UNKNOWN, UNKNOWN]


def test_a_call_by_the_numbers_of_another_machine_kills(machine: str) -> None:
    filter_ = Filter(machine)
    for audit in {0x40000003, *(each[0] for each in MACHINES.values())} - {filter_.audit}:
        assert filter_.answer(MACHINES[machine][5], audit=audit) == KILLED


def test_the_second_set_of_numbers_is_refused(machine: str) -> None:
    tried = [1 << 30, 1 << 30 | MACHINES[machine][5], 0xFFFFFFFF]
    assert {Filter(machine).answer(each) for each in tried} == {REFUSED}
    assert Filter(machine).answer((1 << 30) - 1) == ALLOWED


def test_a_file_is_opened_for_reading_alone(machine: str) -> None:
    harmless = [(0, 0, os.O_RDONLY), (0, 0, os.O_CLOEXEC | os.O_NONBLOCK), (0o3, 0o3, 0, 0o3)]
    writing = [os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_RDWR | os.O_CLOEXEC]
    asked = [(0, 0, each) for each in writing]
    assert refused(machine, MACHINES[machine][4], [*harmless, *asked]) == asked
    if machine == "x86_64":  # aarch64 has no open
        by_name = [(0, each) for each in writing]
        assert refused(machine, 2, [(0o3, 0, 0o3), *by_name]) == by_name


def test_a_thread_may_be_made_and_no_process(machine: str) -> None:
    thread = 0x3D0F00  # what the C library asks for
    processes = [(0,), (17,), (0x1200011,), (thread & ~0x10000,), (0, 0x10000)]
    assert refused(machine, MACHINES[machine][1], [(thread,), *processes]) == processes


def test_signals_and_limits_are_for_itself_alone(machine: str) -> None:
    others = [(1,), (OWN + 1,), (OWN - 1, OWN), (0xFFFFFFFF,)]
    assert refused(machine, MACHINES[machine][2], [(OWN,), (0,), *others]) == [(0,), *others]
    assert refused(machine, MACHINES[machine][3], [(0,), (OWN,), *others]) == [(OWN,), *others]


def contents(folder: Path) -> list[bytes]:
    return [each.read_bytes() for each in folder.iterdir()]


CALLS = {
    "a socket": "import socket; socket.socket()",
    "a local pair": "import socket; socket.socketpair()",
    "a program": "os.execv('/bin/true', ['true'])",
    "a process": "os.fork()",
    "a spawned program": "os.posix_spawn('/bin/true', ['true'], {})",
    "a session": "os.setsid()",
    "a new file": "open(path, 'xb')",
    "a file written over": "open(path, 'r+b')",
    "a file cut": "os.truncate(path, 0)",
    "a file removed": "os.unlink(path)",
    "a file moved": "os.rename(path, path + 'x')",
    "another name": "os.link(path, path + 'x')",
    "another mode": "os.chmod(path, 0)",
    "a folder": "os.mkdir(path + 'x')",
    "another time": "os.utime(path, (1, 1))",
    "another attribute": "os.setxattr(path, 'user.a', b'a')",
    "a signal to its parent": "os.kill(os.getppid(), 0)",
    "a signal to a thread of its parent": "call(TGKILL, os.getppid(), os.getppid(), 0)",
    "a limit of its parent": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "the other numbers of the same calls": "call(numbers['socket'] | 1 << 30)",
}
CALLING = """
import ctypes, resource, types
from services.validator.app import run
from services.validator.inspection import inspect
from shared.sandbox import confinement
column = confinement._machine().column
TGKILL = confinement._machine().signals
numbers = {name: each[column] for name, each in confinement._FORBIDDEN.items()}
nr = types.SimpleNamespace(**numbers)
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*map(ctypes.c_long, arguments)) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


TRYING = """
def told(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
acts = {name: told(lambda: exec(act)) for name, act in ACTS.items()}
calls = {name: told(lambda: call(number)) for name, number in numbers.items()}
hidden = [told(lambda: call(number)) for number in confinement._UNKNOWN_TO_FILTERS]
privileges = [each for each in open("/proc/self/status") if each.startswith("NoNewPrivs")]
sys.exit(repr((acts, calls, hidden, privileges)))
"""


async def test_what_a_confined_child_may_not(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    path.write_bytes(b"bytes")
    body = f"path = {str(path)!r}\nACTS = {CALLS!r}\n{CALLING}\n{TRYING}"
    crash = await crash_of(atmos, tmp_path, body)
    assert "Traceback" not in crash.log, crash.log
    acts, calls, hidden, privileges = ast.literal_eval(crash.log)
    assert acts == dict.fromkeys(CALLS, errno.EPERM)
    assert calls == dict.fromkeys(calls, errno.EPERM)
    assert len(calls) > 40
    assert hidden == [errno.ENOSYS, errno.ENOSYS]
    assert privileges == ["NoNewPrivs:\t1\n"]
    assert contents(tmp_path) == [b"bytes"]


async def test_a_thread_that_runs_already_is_confined_too(tmp_path: Path, atmos: Profile) -> None:
    body = """
    import socket, threading
    go, seen = threading.Event(), []
    def late():
        go.wait()
        try:
            socket.socket()
        except PermissionError:
            seen.append("refused")
    thread = threading.Thread(target=late)
    thread.start()
    apply_limits(request.limits)
    go.set()
    thread.join()
    sys.exit(seen[0])
    """
    early = LIMITED.replace("apply_limits(request.limits)\n", "")
    command = (sys.executable, "-c", early + textwrap.dedent(body))
    with pytest.raises(ChildCrashed) as caught:
        await inspect_in_child(tmp_path, atmos, command=command)
    assert caught.value.log.strip() == "refused"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("machines.clear()", "no filter is written for"),
        (
            "for name in machines: machines[name] = replace(machines[name], seccomp=9999)",
            "seccomp: Function not implemented",
        ),
    ],
    ids=["machine", "kernel"],
)
async def test_what_cannot_be_confined_does_not_start(
    change: str, words: str, tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.5))
    elsewhere = f"""
    import sys
    from dataclasses import replace
    from services.validator import child
    from shared.sandbox import confinement
    machines = confinement._MACHINES
    {change}
    sys.exit(child.main())
    """
    command = (sys.executable, "-c", textwrap.dedent(elsewhere))
    with pytest.raises(ChildCrashed) as caught:
        await inspect_in_child(path, atmos, command=command)
    assert caught.value.reason == f"exit status {UNCONFINED}: it cannot be confined"
    assert words in caught.value.log
    report = await inspect_in_child(path, atmos, limits=Limits(confined=False), command=command)
    assert report.accepted


def test_this_machine_can_confine() -> None:
    confinement.check_confinement()


def test_a_kernel_without_filters_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    known = confinement._MACHINES.items()  # noqa: SLF001 - it is made to ask for no call at all
    without = {name: replace(each, seccomp=9999) for name, each in known}
    monkeypatch.setattr(confinement, "_MACHINES", without)
    with pytest.raises(confinement.ConfinementUnavailable, match="no seccomp filters: "):
        confinement.check_confinement()


async def test_a_validator_that_cannot_confine_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "_MACHINES", {})
    with pytest.raises(SystemExit, match="STAGEDOOR_VALIDATOR_CONFINED: no filter is written"):
        await run(ValidatorSettings(data_dir=tmp_path))
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotADirectoryError):  # as far as it gets when it need not confine
        await run(ValidatorSettings(data_dir=file, validator_confined=False))

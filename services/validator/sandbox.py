"""Runs each inspection in a child process of its own: a poison file harms nothing else.

The child limits and confines itself before it reads a byte (child.py); the parent keeps the wall
clock, watches the resident memory, bounds what it reads, and kills on every way out. When only the
tools that are asked for a second opinion take the child down, our own word stands.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from services.validator.limits import MEANINGS, Limits, Request
from services.validator.report import MAX_JSON_BYTES, Report
from services.validator.rules.opinions import Opinion
from shared.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.validator.profile import Profile

__all__ = ["CHILD", "MAX_RESULT_BYTES", "Limits", "ValidatorCrashed", "inspect_in_child"]

# Two lines: our own word, and the whole report.
MAX_RESULT_BYTES = 2 * (MAX_JSON_BYTES + 1)
_STDERR_TAIL_BYTES = 8192
_BLOCK_BYTES = 1 << 16
_WATCH_SECONDS = 0.1
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CHILD = (sys.executable, "-B", "-m", "services.validator.child")
# The child hears nothing of the deployment's secrets; one thread does all the work of numbers.
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
_OTHERS = "FFmpeg or MediaInfo"
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class ValidatorCrashed(Exception):  # noqa: N818 - reads as what happened
    """The child died, ran out of a limit or answered nonsense; ``log`` is the end of its stderr."""

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


async def inspect_in_child(
    path: Path,
    profile: Profile,
    *,
    master_type: str = "dolby_atmos",
    md5: str | None = None,
    stereo_seconds: float | None = None,
    limits: Limits | None = None,
    command: Sequence[str] = CHILD,
) -> Report:
    """Inspect a file in a child process; raises ValidatorCrashed when that gives no report.

    Cancelling kills the child. ``command`` is what to run, for trying the sandbox itself; for the
    others see ``inspection.inspect``.
    """
    request = Request(
        path=str(path),
        profile=profile,
        limits=limits or Limits(),
        parent=os.getpid(),
        master_type=master_type,
        md5=md5,
        stereo_seconds=stereo_seconds,
    )
    return await _ask(request, command)


async def _ask(request: Request, command: Sequence[str]) -> Report:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    answer, tail = bytearray(), bytearray()
    try:
        await _hear(process, request, answer, tail)
    except ValidatorCrashed as crash:
        return _own_word(bytes(answer), crash)
    return _report(_lines(answer)[-1], _text(tail))


async def _hear(
    process: asyncio.subprocess.Process, request: Request, answer: bytearray, tail: bytearray
) -> None:
    """Collect what the child says until it ends; raises ValidatorCrashed unless it ends well."""
    limits = request.limits
    watch = asyncio.create_task(_watch_memory(process, limits.resident_bytes))
    try:
        async with asyncio.timeout(limits.wall_seconds):
            await _talk(process, msgspec.json.encode(request), answer, tail)
    except TimeoutError:
        raise ValidatorCrashed(f"no result in {limits.wall_seconds:g} s", _text(tail)) from None
    finally:
        await _end(process)
        over = await watch
    if over:
        raise ValidatorCrashed(f"resident memory: {over} bytes", _text(tail))
    if len(answer) > MAX_RESULT_BYTES:
        raise ValidatorCrashed(f"a result of more than {MAX_RESULT_BYTES} bytes", _text(tail))
    if process.returncode != 0:
        raise ValidatorCrashed(_reason(process.returncode or 0), _text(tail))


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _THREADS


async def _watch_memory(process: asyncio.subprocess.Process, allowed: int) -> int:
    """Kill the child when it holds more than this; return how much it held then, else 0.

    No limit of the kernel's for one process speaks of resident memory. Ends with the process.
    """
    statm = Path(f"/proc/{process.pid}/statm")
    ended = asyncio.create_task(process.wait())
    while not ended.done():
        await asyncio.wait((ended,), timeout=_WATCH_SECONDS)
        if (held := _resident(statm)) > allowed:
            _kill(process)
            return held
    return 0


def _resident(statm: Path) -> int:
    """Return the bytes in memory, 0 when the process has gone."""
    try:
        return int(statm.read_text("ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


async def _talk(
    process: asyncio.subprocess.Process, request: bytes, answer: bytearray, tail: bytearray
) -> None:
    """Hand over the request; take the whole answer, or as much as proves it too long."""
    # All three are pipes, asked for when the process was made.
    stdin = cast("asyncio.StreamWriter", process.stdin)
    stdout = cast("asyncio.StreamReader", process.stdout)
    stderr = cast("asyncio.StreamReader", process.stderr)
    async with asyncio.TaskGroup() as group:
        group.create_task(_write(stdin, request))
        group.create_task(_keep_tail(stderr, tail))
        group.create_task(_read_answer(stdout, process, answer))


async def _write(stdin: asyncio.StreamWriter, request: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(request)
        await stdin.drain()
    stdin.close()


async def _read_answer(
    stdout: asyncio.StreamReader, process: asyncio.subprocess.Process, answer: bytearray
) -> None:
    while block := await stdout.read(_BLOCK_BYTES):
        answer += block
        if len(answer) > MAX_RESULT_BYTES:
            _kill(process)
            return
    await process.wait()


async def _keep_tail(stderr: asyncio.StreamReader, tail: bytearray) -> None:
    while block := await stderr.read(_BLOCK_BYTES):
        tail += block
        del tail[:-_STDERR_TAIL_BYTES]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process behind, whatever happened.

    A process has ended for asyncio only once its pipes have, and a pipe that was left full is
    never seen to end: what nobody wants is read all the same.
    """
    _kill(process)
    for stream in (process.stdout, process.stderr):
        # Pipes both, asked for when the process was made.
        while await cast("asyncio.StreamReader", stream).read(_BLOCK_BYTES):
            pass
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _lines(answer: bytes | bytearray) -> list[bytes]:
    """Return the whole lines, and what is left after the last of them."""
    return bytes(answer).removesuffix(b"\n").split(b"\n")


def _own_word(answer: bytes, crash: ValidatorCrashed) -> Report:
    """Return the report that the child gave before it asked other tools; else raise the crash."""
    first, ended, _ = answer.partition(b"\n")
    if not ended or len(first) > MAX_JSON_BYTES:
        raise crash
    report = _report(first, crash.log)
    unheard = Opinion(tool=_OTHERS, complaints=(crash.reason,))
    problem = Problem(
        code="second_opinion_differs",
        severity=Severity.INFO,
        detail=f"{_OTHERS} did not come to an end on this file: one of them took the memory or"
        " the time of the inspection, or crashed.",
        measured=crash.reason,
    )
    return msgspec.structs.replace(
        report, problems=(*report.problems, problem), opinions=(unheard,)
    )


def _report(line: bytes, log: str) -> Report:
    try:
        return Report.from_json(line)
    except msgspec.MsgspecError as error:
        raise ValidatorCrashed(f"a result that is no report: {error}", log) from error


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    meaning = MEANINGS.get(code)
    return f"exit status {code}: {meaning}" if meaning else f"exit status {code}"


def _text(tail: bytearray) -> str:
    return tail.decode("utf-8", "replace")

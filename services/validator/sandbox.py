"""Runs each inspection in a child process of its own: a poison file harms nothing else.

The child limits itself before it reads a byte (child.py); the parent keeps the wall clock, bounds
what it reads, and kills on every way out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec

from services.validator.inspection import Report
from services.validator.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_RESULT_BYTES = 4 << 20
_STDERR_TAIL_BYTES = 8192
_BLOCK_BYTES = 1 << 16
CHILD = (sys.executable, "-B", "-m", "services.validator.child")


class ValidatorCrashed(Exception):  # noqa: N818 - reads as what happened
    """The child died, ran out of a limit or answered nonsense; ``log`` is the end of its stderr."""

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one inspection may use: bytes of address space and written files, seconds, files.

    PyAV and MediaInfo need less than 0.5 GiB of addresses for a small file; the rest is for
    MediaInfo, which keeps a large axml in memory as a tree.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 900
    wall_seconds: float = 1800.0
    file_bytes: int = 0
    open_files: int = 64


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is asked on its standard input; ``parent`` is who must outlive it."""

    path: str
    profile: Profile
    limits: Limits
    parent: int
    md5: str | None = None


async def inspect_in_child(
    path: Path,
    profile: Profile,
    *,
    md5: str | None = None,
    limits: Limits | None = None,
    command: Sequence[str] = CHILD,
) -> Report:
    """Inspect a file in a child process; raises ValidatorCrashed when that gives no report.

    Cancelling kills the child. ``command`` is what to run, for trying the sandbox itself.
    """
    limits = limits or Limits()
    request = Request(path=str(path), profile=profile, limits=limits, parent=os.getpid(), md5=md5)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    tail = bytearray()
    try:
        async with asyncio.timeout(limits.wall_seconds):
            result = await _talk(process, msgspec.json.encode(request), tail)
    except TimeoutError:
        raise ValidatorCrashed(f"no result in {limits.wall_seconds:g} s", _text(tail)) from None
    finally:
        await _end(process)
    return _report(process.returncode, result, _text(tail))


async def _talk(process: asyncio.subprocess.Process, request: bytes, tail: bytearray) -> bytes:
    """Hand over the request; return the whole answer, or as much as proves it too long."""
    # All three are pipes, asked for when the process was made.
    stdin = cast("asyncio.StreamWriter", process.stdin)
    stdout = cast("asyncio.StreamReader", process.stdout)
    stderr = cast("asyncio.StreamReader", process.stderr)
    async with asyncio.TaskGroup() as group:
        group.create_task(_write(stdin, request))
        group.create_task(_keep_tail(stderr, tail))
        answer = group.create_task(_read_answer(stdout, process))
    return answer.result()


async def _write(stdin: asyncio.StreamWriter, request: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(request)
        await stdin.drain()
    stdin.close()


async def _read_answer(stdout: asyncio.StreamReader, process: asyncio.subprocess.Process) -> bytes:
    answer = bytearray()
    while block := await stdout.read(_BLOCK_BYTES):
        answer += block
        if len(answer) > MAX_RESULT_BYTES:
            process.kill()
            break
    await process.wait()
    return bytes(answer)


async def _keep_tail(stderr: asyncio.StreamReader, tail: bytearray) -> None:
    while block := await stderr.read(_BLOCK_BYTES):
        tail += block
        del tail[:-_STDERR_TAIL_BYTES]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process behind, whatever happened."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _report(code: int | None, result: bytes, log: str) -> Report:
    if len(result) > MAX_RESULT_BYTES:
        raise ValidatorCrashed(f"a result of more than {MAX_RESULT_BYTES} bytes", log)
    if code != 0:
        raise ValidatorCrashed(_reason(code or 0), log)
    try:
        return Report.from_json(result)
    except msgspec.MsgspecError as error:
        raise ValidatorCrashed(f"a result that is no report: {error}", log) from error


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def _text(tail: bytearray) -> str:
    return tail.decode("utf-8", "replace")

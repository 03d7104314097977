"""The parent's side of the sandbox: a poison file harms nothing but its own child.

The child limits and confines itself before it reads a byte (child.py); the parent keeps the wall
clock, watches the resident memory, bounds what it reads, and kills on every way out.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from shared.sandbox.limits import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.sandbox.limits import ChildRequest

_STDERR_TAIL_BYTES = 8192
_BLOCK_BYTES = 1 << 16
_WATCH_SECONDS = 0.1
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# The child hears nothing of the deployment's secrets; one thread does all the work of numbers.
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class ChildCrashed(Exception):  # noqa: N818 - reads as what happened
    """The child died, ran out of a limit or answered nonsense.

    ``log`` is the end of what it wrote to stderr, ``answer`` what it said until then.
    """

    def __init__(self, reason: str, log: str = "", answer: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log
        self.answer = answer


def keep(_: bytearray) -> None:
    """Leave the whole answer as it is."""


@dataclass(slots=True)
class Said:
    """What a child has said so far, and the end of its log."""

    answer: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)

    @property
    def log(self) -> str:
        """The log as text, whatever is in it."""
        return self.tail.decode("utf-8", "replace")

    def crash(self, reason: str) -> ChildCrashed:
        """Return the exception for a child that said so much."""
        return ChildCrashed(reason, self.log, bytes(self.answer))


async def ask(
    command: Sequence[str],
    request: ChildRequest,
    *,
    max_bytes: int,
    on_answer: Callable[[bytearray], None] = keep,
) -> Said:
    """Start a child, hand it the request, and return what it said when it ended well.

    ``on_answer`` is shown the answer whenever it grew, and may take away what it has read;
    ``max_bytes`` bounds what is left. Raises ChildCrashed; cancelling kills the child.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    talk = _Talk(process, Said(), max_bytes, on_answer)
    await _hear(talk, request)
    if len(talk.said.answer) > max_bytes:
        raise talk.said.crash(f"a result of more than {max_bytes} bytes")
    if process.returncode != 0:
        raise talk.said.crash(_reason(process.returncode or 0))
    return talk.said


async def _hear(talk: _Talk, request: ChildRequest) -> None:
    """Let the child talk until it ends; raises ChildCrashed when it took too long or too much."""
    limits = request.limits
    watch = asyncio.create_task(_watch_memory(talk.process, limits.resident_bytes))
    try:
        async with asyncio.timeout(limits.wall_seconds):
            await talk.hold(msgspec.json.encode(request))
    except TimeoutError:
        raise talk.said.crash(f"no result in {limits.wall_seconds:g} s") from None
    finally:
        await _end(talk.process)
        over = await watch
    if over:
        raise talk.said.crash(f"resident memory: {over} bytes")


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


@dataclass(slots=True)
class _Talk:
    """One question, one answer, and the log beside it."""

    process: asyncio.subprocess.Process
    said: Said
    max_bytes: int
    on_answer: Callable[[bytearray], None]

    async def hold(self, request: bytes) -> None:
        """Hand over the request; take the whole answer, or as much as proves it too long."""
        # All three are pipes, asked for when the process was made.
        stdin = cast("asyncio.StreamWriter", self.process.stdin)
        stdout = cast("asyncio.StreamReader", self.process.stdout)
        stderr = cast("asyncio.StreamReader", self.process.stderr)
        async with asyncio.TaskGroup() as group:
            group.create_task(_write(stdin, request))
            group.create_task(self._keep_tail(stderr))
            group.create_task(self._read_answer(stdout))

    async def _read_answer(self, stdout: asyncio.StreamReader) -> None:
        while block := await stdout.read(_BLOCK_BYTES):
            self.said.answer += block
            self.on_answer(self.said.answer)
            if len(self.said.answer) > self.max_bytes:
                _kill(self.process)
                return
        await self.process.wait()

    async def _keep_tail(self, stderr: asyncio.StreamReader) -> None:
        while block := await stderr.read(_BLOCK_BYTES):
            self.said.tail += block
            del self.said.tail[:-_STDERR_TAIL_BYTES]


async def _write(stdin: asyncio.StreamWriter, request: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(request)
        await stdin.drain()
    stdin.close()


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


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    meaning = MEANINGS.get(code)
    return f"exit status {code}: {meaning}" if meaning else f"exit status {code}"

"""A child is started, watched, started again and stopped, with all that it started itself."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from cli.stack import child as child_module
from cli.stack import tether
from cli.stack.child import Child, Launch, StartError
from cli.stack.files import read_json
from shared.private import write_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

# What each program begins with: it tells that it is ready, as a service does.
TELL = """
import json, os, signal, subprocess, sys, time
def ready(**more):
    with open(sys.argv[1] + ".part", "w") as file:
        json.dump({"pid": os.getpid(), **more}, file)
    os.replace(sys.argv[1] + ".part", sys.argv[1])
"""
STEADY = "ready(); time.sleep(60)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); time.sleep(60)"
DYING = "ready()"
SILENT = "time.sleep(60)"
BROKEN = "sys.exit(3)"
PARENT = """
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
ready(inner=inner.pid); inner.wait()
"""


class Program:
    """A service that runs one of the programs above."""

    name = "program"
    start_seconds: float | None = 10.0

    def __init__(self, code: str, folder: Path) -> None:
        self._code = TELL + textwrap.dedent(code)
        self._ready = folder / "ready"
        self.asked = 0

    def launch(self) -> Launch:
        self._ready.unlink(missing_ok=True)
        return Launch((sys.executable, "-c", self._code, str(self._ready)), dict(os.environ))

    def answer(self, pid: int) -> Mapping[str, object] | None:
        self.asked = pid
        found = read_json(self._ready)
        return found if found and found["pid"] == pid else None


class Starts:
    """Counts how often a child became ready and lets a test wait for it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[None] = asyncio.Queue()

    def __call__(self) -> None:
        self._queue.put_nowait(None)

    async def next(self) -> None:
        async with asyncio.timeout(10):
            await self._queue.get()


@asynccontextmanager
async def running(code: str, folder: Path) -> AsyncIterator[tuple[Child, Starts]]:
    """A child that is ready and kept running."""
    starts = Starts()
    child = Child(Program(code, folder), starts)
    await child.start()
    await starts.next()
    keeping = asyncio.create_task(child.keep())
    try:
        yield child, starts
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await child.stop()


async def ended(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        gone, _, _ = await asyncio.to_thread(select.select, [handle], [], [], 10)
        assert gone, f"process {pid} still runs"
    finally:
        os.close(handle)


async def test_a_child_that_is_killed_starts_again(tmp_path: Path) -> None:
    async with running(STEADY, tmp_path) as (child, starts):
        first = child.pid
        assert first
        os.kill(first, 9)
        await starts.next()
        assert child.pid not in {None, first}
        assert child.answer["pid"] == child.pid


async def test_a_child_that_keeps_dying_waits_longer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(DYING, tmp_path) as (_, starts):
        for _ in range(3):
            await starts.next()
    said = capfd.readouterr().err
    assert "program ended with exit code 0; starting it again in 0.1 s" in said
    assert "starting it again in 0.2 s" in said
    assert "starting it again in 0.4 s" in said


async def test_a_program_that_ends_before_it_is_ready_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="program ended with exit code 3 before it was ready"):
        await Child(Program(BROKEN, tmp_path), Starts()).start()


async def test_a_program_that_says_nothing_is_an_error_and_killed(tmp_path: Path) -> None:
    program = Program(SILENT, tmp_path)
    program.start_seconds = 0.2
    child = Child(program, Starts())
    with pytest.raises(StartError, match="was not ready"):
        await child.start()
    assert child.pid is None
    await ended(program.asked)


async def test_stopping_is_a_request_first(tmp_path: Path) -> None:
    polite = (
        "signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[1] + '.bye', 'w'), sys.exit()))"
    )
    async with running(f"{polite}\n{STEADY}", tmp_path) as (child, _):
        await child.stop()
    assert (tmp_path / "ready.bye").exists()


async def test_a_program_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child_module, "STOP_SECONDS", 0.2)
    async with running(STUBBORN, tmp_path) as (child, _):
        pid = child.pid
        await child.stop()
    assert pid
    await ended(pid)
    assert "program does not stop; killing it" in capfd.readouterr().err


@pytest.mark.parametrize("end", ["stop", "crash"])
async def test_what_a_child_started_goes_with_it(tmp_path: Path, end: str) -> None:
    async with running(PARENT, tmp_path) as (child, starts):
        inner = child.answer["inner"]
        if end == "crash":
            assert child.pid
            os.kill(child.pid, 9)
            await starts.next()
        else:
            await child.stop()
        await ended(inner)


async def test_children_die_with_a_supervisor_that_is_killed() -> None:
    inner = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    supervisor = f"""
        import asyncio, sys
        from cli.stack.child import Launch, spawn
        async def main():
            child = await spawn(Launch((sys.executable, "-c", {inner!r}), {{}}))
            await child.wait()
        asyncio.run(main())
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(supervisor), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    pid = int(await process.stderr.readline())
    process.kill()
    await process.wait()
    await ended(pid)


def test_a_child_whose_supervisor_is_gone_already_does_not_start(tmp_path: Path) -> None:
    command = (sys.executable, tether.__file__, "1", "/bin/sh", "-c", f"touch {tmp_path}/started")
    assert subprocess.run(command, check=False).returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_private_file_is_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, json.dumps({"token": "sd_1"}))
    assert read_json(path) == {"token": "sd_1"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", '{"pid": ', "[1]"])
def test_a_file_that_is_not_whole_yet_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "part").write_text(text)
    assert read_json(tmp_path / "part") is None
    assert read_json(tmp_path / "missing") is None

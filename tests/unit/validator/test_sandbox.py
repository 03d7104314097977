"""The sandbox: whatever the child does, the parent gets an answer and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from services.validator import child
from services.validator.sandbox import CHILD, Limits, ValidatorCrashed, inspect_in_child

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.validator.profile import Profile

LIMITED = """
import os, sys
import msgspec
from services.validator.child import apply_limits, tie_to_parent
from services.validator.sandbox import Request
request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
tie_to_parent(request.parent)
apply_limits(request.limits)
"""


def script(body: str) -> tuple[str, ...]:
    """Return a child that limits itself as the real one does, and then misbehaves."""
    return (sys.executable, "-c", LIMITED + textwrap.dedent(body))


async def crash_of(
    profile: Profile, path: Path, body: str, limits: Limits | None = None
) -> ValidatorCrashed:
    with pytest.raises(ValidatorCrashed) as caught:
        await inspect_in_child(path, profile, limits=limits, command=script(body))
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        # Processes that are not our children give no event to wait for.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process is dead; a zombie that waits for its reaper is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def read_pid(file: Path) -> int:
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(await asyncio.to_thread(file.read_text))


async def test_the_report_comes_back(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=1.0))

    report = await inspect_in_child(path, atmos, md5="0" * 32)

    assert report.accepted
    assert report.problems == ()
    assert (report.md5, report.size_bytes) == ("0" * 32, path.stat().st_size)


async def test_an_unreadable_file_is_a_crash_with_its_reason(
    tmp_path: Path, atmos: Profile
) -> None:
    with pytest.raises(ValidatorCrashed, match="exit status") as caught:
        await inspect_in_child(tmp_path / "nothing", atmos)
    assert "No such file" in caught.value.log


async def test_a_killed_child_is_a_crash(tmp_path: Path, atmos: Profile) -> None:
    body = "os.kill(os.getpid(), 9)"
    assert (await crash_of(atmos, tmp_path, body)).reason == "killed by SIGKILL"


async def test_spinning_ends_at_the_cpu_limit(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, "while True: pass", Limits(cpu_seconds=1))
    assert crash.reason in {"killed by SIGXCPU", "killed by SIGKILL"}


async def test_waiting_ends_at_the_wall_clock(tmp_path: Path, atmos: Profile) -> None:
    file = tmp_path / "pid"
    body = f"import time; print(os.getpid(), file=open({str(file)!r}, 'w')); time.sleep(600)"
    limits = Limits(wall_seconds=2.0, file_bytes=100)
    crash = await crash_of(atmos, tmp_path, body, limits)
    assert crash.reason == "no result in 2 s"
    assert is_gone(int(file.read_text()))


async def test_memory_is_bounded(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, "bytearray(1 << 30)", Limits(memory_bytes=600 << 20))
    assert crash.reason == "exit status 1"
    assert "MemoryError" in crash.log


async def test_no_file_can_be_written(tmp_path: Path, atmos: Profile) -> None:
    target = tmp_path / "out"
    body = f"open({str(target)!r}, 'wb', buffering=0).write(b'x')"
    crash = await crash_of(atmos, tmp_path, body)
    assert "File too large" in crash.log
    assert target.stat().st_size == 0


async def test_descriptors_are_bounded(tmp_path: Path, atmos: Profile) -> None:
    body = "files = [open('/dev/null') for _ in range(100)]"
    assert "Too many open files" in (await crash_of(atmos, tmp_path, body)).log


async def test_no_core_is_left_behind(tmp_path: Path, atmos: Profile) -> None:
    body = "import resource; sys.exit(str(resource.getrlimit(resource.RLIMIT_CORE)))"
    assert (await crash_of(atmos, tmp_path, body)).log.strip() == "(0, 0)"


async def test_what_a_library_prints_is_no_part_of_the_answer(
    tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=1.0))
    noisy = """
    import os, sys
    from services.validator import child
    inspect = child.inspect
    def printing(*args, **options):
        os.write(1, b"noise")
        return inspect(*args, **options)
    child.inspect = printing
    sys.exit(child.main())
    """
    command = (sys.executable, "-c", textwrap.dedent(noisy))
    assert (await inspect_in_child(path, atmos, command=command)).accepted


async def test_a_huge_answer_is_cut_off(tmp_path: Path, atmos: Profile) -> None:
    body = "while True: os.write(1, b'x' * 65536)"
    assert "a result of more than" in (await crash_of(atmos, tmp_path, body)).reason


async def test_a_huge_log_keeps_its_end(tmp_path: Path, atmos: Profile) -> None:
    body = "sys.stderr.write('x' * 10_000_000 + 'the end'); sys.exit(3)"
    crash = await crash_of(atmos, tmp_path, body)
    assert crash.reason == "exit status 3"
    assert crash.log.endswith("the end")
    assert len(crash.log) <= 8192


async def test_nonsense_is_a_crash(tmp_path: Path, atmos: Profile) -> None:
    assert "no report" in (await crash_of(atmos, tmp_path, "print('[]')")).reason


async def test_cancelling_kills_the_child(tmp_path: Path, atmos: Profile) -> None:
    file = tmp_path / "pid"
    body = f"import time; print(os.getpid(), file=open({str(file)!r}, 'w')); time.sleep(600)"
    run: Awaitable[object] = inspect_in_child(
        tmp_path, atmos, limits=Limits(file_bytes=100), command=script(body)
    )
    task = asyncio.ensure_future(run)
    pid = await read_pid(file)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_gone(pid)


async def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    inner = f"import time; print(os.getpid(), file=open({str(file)!r}, 'w')); time.sleep(600)"
    program = f"""
    import asyncio
    from pathlib import Path
    from services.validator.profile import load_profile
    from services.validator.sandbox import Limits, inspect_in_child
    run = inspect_in_child(
        Path("x"), load_profile("atmos"), limits=Limits(file_bytes=100), command={script(inner)!r}
    )
    asyncio.run(run)
    """
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", textwrap.dedent(program))
    pid = await read_pid(file)

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    await until(lambda: is_gone(pid))


async def test_a_child_whose_parent_has_gone_does_not_start(atmos: Profile) -> None:
    process = await asyncio.create_subprocess_exec(
        *CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    import msgspec

    from services.validator.sandbox import Request

    request = Request(path="/", profile=atmos, limits=Limits(), parent=os.getpid() + 1)
    answer, _ = await process.communicate(msgspec.json.encode(request))
    assert (process.returncode, answer) == (child.ORPHANED, b"")

"""The sandbox: whatever the child does, the parent gets an answer and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from cli.demo.master import Spec, write_master
from services.validator.inspection import inspect
from services.validator.limits import Request
from services.validator.sandbox import CHILD, ChildCrashed, Limits, inspect_in_child
from services.validator.settings import ValidatorSettings
from shared.problems import Severity
from shared.sandbox.limits import ORPHANED
from tests.support.media import ac4, eac3
from tests.support.sandbox import crash_of, script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.validator.profile import Profile
    from services.validator.report import Report


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


async def test_a_child_says_why_it_gives_no_report(tmp_path: Path, atmos: Profile) -> None:
    with pytest.raises(ChildCrashed, match=r"\d: the file cannot be read") as caught:
        await inspect_in_child(tmp_path / "nothing", atmos)
    assert "No such file" in caught.value.log
    program = (
        "import sys; from services.validator import child;"
        "child.inspect = lambda *_, **__: bytearray(1 << 60); sys.exit(child.main())"
    )
    with pytest.raises(ChildCrashed, match=r"\d: no more address space"):
        await inspect_in_child(tmp_path, atmos, command=(sys.executable, "-c", program))


async def test_a_killed_child_is_a_crash(tmp_path: Path, atmos: Profile) -> None:
    body = "import signal; signal.raise_signal(9)"
    assert (await crash_of(atmos, tmp_path, body)).reason == "killed by SIGKILL"


async def test_spinning_ends_at_the_cpu_limit(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, "while True: pass", Limits(cpu_seconds=1))
    assert crash.reason in {"killed by SIGXCPU", "killed by SIGKILL"}


async def test_waiting_ends_at_the_wall_clock(tmp_path: Path, atmos: Profile) -> None:
    file = tmp_path / "pid"
    body = f"""
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), file=open({str(file)!r}, 'w'))
    time.sleep(600)
    """
    limits = Limits(wall_seconds=2.0, file_bytes=100, confined=False)
    crash = await crash_of(atmos, tmp_path, body, limits)
    assert crash.reason == "no result in 2 s"
    assert is_gone(int(file.read_text()))


async def test_memory_is_bounded(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, "bytearray(1 << 30)", Limits(memory_bytes=600 << 20))
    assert crash.reason == "exit status 1"
    assert "MemoryError" in crash.log


async def test_resident_memory_is_watched(tmp_path: Path, atmos: Profile) -> None:
    body = "import time; held = b'x' * (200 << 20); time.sleep(600)"
    limits = Limits(resident_bytes=100 << 20)
    crash = await crash_of(atmos, tmp_path, body, limits)
    assert crash.reason.startswith("resident memory: ")


async def test_no_file_can_be_written(tmp_path: Path, atmos: Profile) -> None:
    target = tmp_path / "out"
    body = f"open({str(target)!r}, 'wb', buffering=0).write(b'x')"
    crash = await crash_of(atmos, tmp_path, body, Limits(confined=False))
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
    # A wide pipe has more to give than is asked for at once: some of it is still unread at the end.
    body = """
    import fcntl
    fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)
    while True: os.write(1, b'x' * (1 << 20))
    """
    assert "a result of more than" in (await crash_of(atmos, tmp_path, body)).reason


async def test_a_huge_log_keeps_its_end(tmp_path: Path, atmos: Profile) -> None:
    body = "sys.stderr.write('x' * 10_000_000 + 'the end'); sys.exit(3)"
    crash = await crash_of(atmos, tmp_path, body)
    assert crash.reason == "exit status 3"
    assert crash.log.endswith("the end")
    assert len(crash.log) <= 8192


async def test_a_log_that_is_no_text_is_kept(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, r"os.write(2, b'odd \xff'); sys.exit(3)")
    assert crash.log == "odd \N{REPLACEMENT CHARACTER}"


async def test_a_child_that_does_not_listen_is_a_crash(atmos: Profile) -> None:
    deaf = (sys.executable, "-c", "import sys; sys.exit(3)")
    with pytest.raises(ChildCrashed, match="exit status 3"):
        await inspect_in_child(Path("longer than a pipe" * 10_000), atmos, command=deaf)


async def test_children_of_the_child_end_with_it(tmp_path: Path, atmos: Profile) -> None:
    file = tmp_path / "pid"
    body = f"""
    import time
    if os.fork() == 0:
        print(os.getpid(), file=open({str(file)!r}, 'w'))
    time.sleep(600)
    """
    limits = Limits(wall_seconds=2.0, file_bytes=100, confined=False)
    crash = await crash_of(atmos, tmp_path, body, limits)
    assert crash.reason == "no result in 2 s"
    grandchild = int(file.read_text())
    await until(lambda: is_gone(grandchild))


async def test_nonsense_is_a_crash(tmp_path: Path, atmos: Profile) -> None:
    assert "no report" in (await crash_of(atmos, tmp_path, "print('[]')")).reason


async def test_cancelling_kills_the_child(tmp_path: Path, atmos: Profile) -> None:
    file = tmp_path / "pid"
    body = f"import time; print(os.getpid(), file=open({str(file)!r}, 'w')); time.sleep(600)"
    run: Awaitable[object] = inspect_in_child(
        tmp_path, atmos, limits=Limits(file_bytes=100, confined=False), command=script(body)
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
    limits = Limits(file_bytes=100, confined=False)
    run = inspect_in_child(
        Path("x"), load_profile("atmos"), limits=limits, command={script(inner)!r}
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
    request = Request(path="/", profile=atmos, limits=Limits(), parent=os.getpid() + 1)
    answer, _ = await process.communicate(msgspec.json.encode(request))
    assert (process.returncode, answer) == (ORPHANED, b"")


def test_the_settings_reach_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEDOOR_VALIDATOR_CONFINED", "false")
    monkeypatch.setenv("STAGEDOOR_VALIDATOR_RESIDENT_BYTES", "1000")
    monkeypatch.setenv("STAGEDOOR_VALIDATOR_NICENESS", "0")
    limits = ValidatorSettings().limits()
    assert (limits.confined, limits.resident_bytes, limits.niceness) == (False, 1000, 0)


def test_the_child_loads_nothing_that_only_its_parent_needs() -> None:
    program = (
        "import sys, services.validator.child;"
        "unneeded = {'asyncio', 'av', 'importlib.metadata', 'numpy', 'pymediainfo', 'rich'};"
        "print(sorted(unneeded & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


async def test_the_child_hears_no_secret(
    tmp_path: Path, atmos: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGEDOOR_DATABASE_URL", "postgresql://secret")
    crash = await crash_of(atmos, tmp_path, "sys.exit(open('/proc/self/environ').read())")
    assert "secret" not in crash.log
    assert "OPENBLAS_NUM_THREADS=1\0" in crash.log
    assert "OMP_NUM_THREADS=1\0" in crash.log


async def test_the_child_goes_last(tmp_path: Path, atmos: Profile) -> None:
    crash = await crash_of(atmos, tmp_path, "sys.exit(str(os.nice(0)))")
    assert int(crash.log) == min(os.nice(0) + Limits().niceness, 19)


@pytest.mark.parametrize("kind", ["wave", "eac3", "ac4"])
async def test_every_tool_works_in_it(kind: str, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master"
    if kind == "wave":
        write_master(path, Spec(seconds=1.0))
    else:
        path.write_bytes(eac3.joc_mp4() if kind == "eac3" else ac4.mp4_file())

    confined = await inspect_in_child(path, atmos)

    assert confined == inspect(path, atmos)
    assert len(confined.opinions) == 2
    assert (confined.audio is not None) == (kind == "wave")


OWN_WORD = """
import os
from pathlib import Path
from services.validator.inspection import inspect
report = inspect(Path(request.path), request.profile, opinions=False)
os.write(1, report.to_json() + b"\\n")
"""


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("os.abort()", "killed by SIGABRT"),
        ("raise SystemExit(77)", "exit status 77: no more address space"),
        ("import time; time.sleep(60)", "no result in 5 s"),
        ("held = bytearray(200 << 20); import time; time.sleep(60)", "resident memory: "),
        ("import os\nwhile True: os.write(1, bytes(1 << 16))", "a result of more than "),
    ],
)
async def test_our_word_stands_when_another_tool_ends_the_child(
    tmp_path: Path, atmos: Profile, ending: str, reason: str
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.1))
    limits = Limits(wall_seconds=5, resident_bytes=150 << 20)
    report = await inspect_in_child(path, atmos, limits=limits, command=script(OWN_WORD + ending))
    assert report.accepted
    problem = report.problems[-1]
    assert (problem.code, problem.severity) == ("second_opinion_differs", Severity.INFO)
    assert problem.measured.startswith(reason)
    assert report.opinions[0].complaints == (problem.measured,)


async def test_half_a_word_is_no_report(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.1))
    half = OWN_WORD.replace(' + b"\\n"', "") + "raise SystemExit(3)"
    crash = await crash_of(atmos, path, half)
    assert crash.reason == "exit status 3"


async def test_a_child_tells_its_own_word_first(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.1))
    told: list[Report] = []
    report = inspect(path, atmos, audio=False, on_report=told.append)
    assert [each.opinions for each in told] == [()]
    assert (len(report.opinions), report.problems) == (2, told[0].problems)

"""A transcoding in its child: the same renditions, and nothing left whatever happens."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from services.publisher.errors import Code, TranscodeError
from services.publisher.messages import Limits, Request
from services.publisher.order import Order, Tags
from services.publisher.sandbox import CHILD, transcoded
from shared.sandbox.limits import ORPHANED, UNCONFINED
from shared.sandbox.parent import ChildCrashed
from tests.support.media.audio import noise, write_plain
from tests.support.media.pictures import picture
from tests.support.renditions import publish

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = ("mp3", "mp3-vbr", "aiff", "wav", "flac", "m4a", "opus")
ORDER = Order(formats=("wav", "mp3"))
MISBEHAVING = """
import os, sys, time
import msgspec
from services.publisher.messages import Request
from shared.sandbox.child import apply_limits
request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
for each in request.outputs: open(each, "x").write("a part")
apply_limits(request.limits)
"""


@pytest.fixture
def master(tmp_path: Path) -> Path:
    path = tmp_path / "master.wav"
    write_plain(path, noise(1.0, 48_000, 2), 48_000)
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def script(body: str) -> tuple[str, ...]:
    """A child that opens its files and limits itself as the real one does, then misbehaves."""
    return (sys.executable, "-c", MISBEHAVING + textwrap.dedent(body))


def left(folder: Path) -> list[Path]:
    """What lies below a folder."""
    return [each for each in folder.rglob("*") if each.is_file() or each.parent == folder]


def is_running(pid: str) -> bool:
    return Path("/proc", pid).exists()


async def crash_of(
    path: Path, scratch: Path, body: str, limits: Limits | None = None
) -> ChildCrashed:
    with pytest.raises(ChildCrashed) as caught:
        async with transcoded(path, ORDER, scratch, limits=limits, command=script(body)):
            pytest.fail("there is nothing to hand over")
    assert left(scratch) == []
    return caught.value


async def test_the_child_makes_what_would_be_made_here(master: Path, scratch: Path) -> None:
    order = Order(formats=ALL, tags=Tags(title="A", isrc="GBAYE0000001"), cover=picture("png"))
    expected, files = publish(master, *ALL, tags=order.tags, cover=order.cover)

    async with transcoded(master, order, scratch) as made:
        assert made.done == expected
        for name, file in zip(ALL, made.files, strict=True):
            assert file.suffix == files[name].suffix
            assert file.read_bytes() == files[name].read_bytes()

    assert left(scratch) == []


async def test_progress_is_counted_in_frames(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "long.wav"
    write_plain(path, np.zeros((48_000 * 15, 2), np.float32), 48_000)
    heard: list[tuple[int, int | None]] = []

    async with transcoded(
        path, ORDER, scratch, on_progress=lambda *each: heard.append(each)
    ) as made:
        assert made.done.frames == 48_000 * 15

    done = [each for each, _ in heard]
    assert len(done) > 1
    assert done == sorted(set(done))
    assert 0 < done[0] <= done[-1] <= 48_000 * 15
    assert {total for _, total in heard} == {48_000 * 15}


async def test_a_refusal_comes_back_with_its_code(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "six.wav"
    write_plain(path, noise(0.1, 48_000, 6), 48_000)
    with pytest.raises(TranscodeError, match="No rule makes stereo of 6 channels") as caught:
        async with transcoded(path, ORDER, scratch):
            pytest.fail("there is nothing to hand over")
    assert caught.value.code is Code.LAYOUT_UNSUPPORTED
    assert left(scratch) == []


async def test_who_fails_with_the_files_leaves_none(master: Path, scratch: Path) -> None:
    async def fail() -> None:
        async with transcoded(master, ORDER, scratch) as made:
            assert set(made.files) <= set(left(scratch))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert left(scratch) == []


async def test_cancelled_midway_leaves_nothing(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "long.wav"
    write_plain(path, np.zeros((1, 2), np.float32), 48_000)
    _lengthen(path, 3_600)
    midway = asyncio.Event()

    async def run() -> None:
        async with transcoded(path, ORDER, scratch, on_progress=lambda *_: midway.set()):
            pytest.fail("an hour cannot be over yet")

    before = _children()
    task = asyncio.create_task(run())
    await asyncio.wait_for(midway.wait(), 60)
    children = _children() - before
    assert len(left(scratch)) == 1 + len(ORDER.formats)
    assert len(children) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert left(scratch) == []
    assert not any(map(is_running, children))


def _lengthen(path: Path, seconds: int) -> None:
    """Make silence of it that takes no room on the disk."""
    size = 6 * 48_000 * seconds
    with path.open("r+b") as file:
        for at, value in ((4, 36 + size), (40, size)):
            file.seek(at)
            file.write(value.to_bytes(4, "little"))
        file.truncate(44 + size)


def _children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {each for task in tasks for each in task.read_text().split()}


@pytest.mark.parametrize(
    ("body", "limits", "reason"),
    [
        ("os.abort()", Limits(), "killed by SIGABRT"),
        ("sys.exit(3)", Limits(), "exit status 3"),
        ("print('{}')", Limits(), "a result that is none: "),
        ("while True: os.write(1, b'x' * 65536)", Limits(), "a result of more than "),
        ("bytearray(2 << 30)", Limits(), "exit status 1"),
        (
            "held = b'x' * (200 << 20); time.sleep(60)",
            Limits(resident_bytes=150 << 20),
            "resident memory: ",
        ),
        ("time.sleep(60)", Limits(wall_seconds=2), "no result in 2 s"),
        ("while True: pass", Limits(cpu_seconds=1), "killed by SIG"),
    ],
)
async def test_a_child_that_fails_is_a_crash(
    master: Path, scratch: Path, body: str, limits: Limits, reason: str
) -> None:
    assert (await crash_of(master, scratch, body, limits)).reason.startswith(reason)


@pytest.mark.parametrize(
    "act",
    [
        "open(request.path, 'r+b')",
        "open(request.path + '.new', 'x')",
        "os.unlink(request.path)",
        "import socket; socket.socket()",
        "os.fork()",
        "os.execv(sys.executable, ['x'])",
    ],
)
async def test_what_the_child_may_not(master: Path, scratch: Path, act: str) -> None:
    body = f"""
    try:
        {act}
    except OSError as error:
        sys.exit(str(error.errno))
    """
    assert (await crash_of(master, scratch, body)).log.strip() == str(errno.EPERM)
    assert master in left(master.parent)


async def test_a_file_that_grows_too_large_ends_it(master: Path, scratch: Path) -> None:
    with pytest.raises(ChildCrashed) as caught:
        async with transcoded(master, ORDER, scratch, limits=Limits(file_bytes=100_000)):
            pytest.fail("there is nothing to hand over")
    assert caught.value.reason == "exit status 81: no room for what it writes"
    assert left(scratch) == []


async def test_a_master_that_is_not_there_is_a_crash(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(ChildCrashed, match="exit status 78: the file cannot be read"):
        async with transcoded(tmp_path / "nothing", ORDER, scratch):
            pytest.fail("there is nothing to hand over")


async def test_a_child_is_confined_or_does_not_work(master: Path, scratch: Path) -> None:
    elsewhere = """
    import sys
    from services.publisher import child
    from shared.sandbox import confinement
    confinement._MACHINES.clear()
    sys.exit(child.main())
    """
    command = (sys.executable, "-c", textwrap.dedent(elsewhere))
    with pytest.raises(ChildCrashed, match=f"exit status {UNCONFINED}"):
        async with transcoded(master, ORDER, scratch, command=command):
            pytest.fail("there is nothing to hand over")
    limits = Limits(confined=False)
    async with transcoded(master, ORDER, scratch, limits=limits, command=command) as made:
        assert made.done.frames == 48_000


async def test_a_child_whose_parent_has_gone_does_not_start(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(*CHILD, stdin=asyncio.subprocess.PIPE)
    output = tmp_path / "out.mp3"
    request = Request(
        path="/", order=Order(formats=("mp3",)), outputs=(str(output),), limits=Limits(), parent=1
    )
    await process.communicate(msgspec.json.encode(request))
    assert process.returncode == ORPHANED
    assert not output.exists()


@pytest.mark.parametrize(
    "make", [lambda: b"\0" * 4096, lambda: b"RIFF" + b"\xff" * 4092, lambda: b"fLaC" + b"\xff" * 99]
)
async def test_nonsense_is_refused_from_inside_too(
    tmp_path: Path, scratch: Path, make: Callable[[], bytes]
) -> None:
    path = tmp_path / "master"
    path.write_bytes(make())
    with pytest.raises(TranscodeError):
        async with transcoded(path, ORDER, scratch):
            pytest.fail("there is nothing to hand over")

"""`stagedoor up`: what it promises to scripts, on real processes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.stack import Stack

pytestmark = pytest.mark.long
PARTS = ["nats", "api", "downloader", "validator", "publisher"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("up")) as running:
        yield running


def _pids(ready: dict[str, Any]) -> list[int]:
    pids = ready["pids"]
    return [pids["api"], pids["nats"], *pids["downloader"], *pids["validator"], *pids["publisher"]]


def _until(holds: Callable[[], bool]) -> None:
    """Wait for something that only a file tells."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def _ended(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 5)[0])
    finally:
        os.close(handle)


def _status(ready: dict[str, Any]) -> int:
    """What the API answers to the token."""
    headers = {"Authorization": f"Bearer {ready['token']}"}
    request = urllib.request.Request(f"{ready['http']}/api/v1/tracks", headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        status: int = response.status
        return status


def test_the_ready_file_says_where_everything_is(stack: Stack) -> None:
    ready = stack.ready
    assert set(ready) == {"http", "grpc", "nats", "token", "data_dir", "pids"}
    assert set(ready["pids"]) == set(PARTS)
    assert all(Path(f"/proc/{pid}").exists() for pid in _pids(ready))
    assert _status(ready) == 200
    data_dir = Path(ready["data_dir"])
    assert json.loads((data_dir / "ready.json").read_text()) == ready
    for secret in (stack.ready_file, data_dir / "ready.json", data_dir / "token"):
        assert secret.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_dies_comes_back_where_it_was(stack: Stack, part: str) -> None:
    before = stack.ready
    stack.kill(part)
    _until(lambda: stack.ready["pids"][part] != before["pids"][part])
    after = stack.ready
    assert {**after, "pids": None} == {**before, "pids": None}
    others = [other for other in PARTS if other != part]
    assert [after["pids"][other] for other in others] == [before["pids"][o] for o in others]
    assert _status(after) == 200


def test_a_folder_is_for_one_supervisor(stack: Stack) -> None:
    second = _up(Path(stack.ready["data_dir"]))
    assert second.returncode == 1
    assert second.stderr.startswith("error: START_FAILED: another stagedoor runs in ")


def test_a_part_that_cannot_start_ends_it(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}"  # a folder
    failed = _up(tmp_path / "data", STAGEDOOR_DATABASE_URL=database)
    assert failed.returncode == 1
    end = "error: START_FAILED: api ended with exit code 1 before it was ready\n"
    assert failed.stderr.endswith(end)


def test_it_stops_everything_and_starts_again_with_its_token(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "token").write_text("sd_0123456789abcdef_revoked")
    with running_stack(tmp_path) as stack:
        first = stack.ready
        assert _status(first) == 200
    assert all(_ended(pid) for pid in _pids(first))
    assert not stack.ready_file.exists()
    assert not (tmp_path / "data" / "ready.json").exists()
    log = (tmp_path / "log").read_text()
    ends = [log.index(end) for end in ("worker_stopped", "api_stopping", "Initiating Shutdown")]
    assert ends == sorted(ends)

    with running_stack(tmp_path) as stack:
        assert stack.ready["token"] == first["token"]
        assert _status(stack.ready) == 200


def _up(data_dir: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("stagedoor")), "up", "--data-dir", str(data_dir)]
    environ = {**os.environ, **settings}
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=60
    )

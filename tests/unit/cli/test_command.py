"""The command itself: help, version, usage, and finding its server."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

from cli.errors import CommandError
from cli.location import Location, locate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.door import Door
    from tests.unit.cli.conftest import Stagedoor

SLOW = ("rich", "grpc", "google.protobuf", "av", "numpy", "lxml", "msgspec", "pydantic")


async def test_help_names_every_command(alone: Stagedoor) -> None:
    result = await alone("--help")
    assert result.code == 0
    named = {line.split()[0] for line in result.out if line.startswith("  ") and line.split()}
    assert {"import", "tasks", "tracks", "token", "db", "inspect", "up"} <= named


async def test_nothing_slow_is_imported_before_it_is_needed() -> None:
    code = f"import sys, cli.main; print(*(set({SLOW!r}) & set(sys.modules)))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.decode().split()) == (0, [])


async def test_version(alone: Stagedoor) -> None:
    result = await alone("--version")
    assert result.code == 0
    assert result.out[0].count(".") == 2


async def test_wrong_usage_is_exit_code_2(alone: Stagedoor) -> None:
    results = await asyncio.gather(
        alone("nope"),
        alone("tasks", "list", "--page-size", "0"),
        alone("import"),
        alone("inspect", "file", "--profile", "nope"),
    )
    for result in results:
        assert (result.code, result.out) == (2, [])
        assert any("Error" in line for line in result.err)


async def test_without_a_server_it_says_how_to_get_one(alone: Stagedoor) -> None:
    result = await alone("tasks", "list")
    assert (result.code, result.out, len(result.err)) == (1, [], 1)
    assert result.err[0].startswith("error: NO_SERVER: ")
    assert "STAGEDOOR_SERVER" in result.err[0]


def test_a_server_needs_a_token_of_its_own(tmp_path: Path) -> None:
    """The token of the local stack is not for other servers."""
    write_ready_file(tmp_path / "var", {"grpc": "127.0.0.1:1", "token": "secret"})
    environ = {"STAGEDOOR_DATA_DIR": str(tmp_path / "var"), "STAGEDOOR_SERVER": "127.0.0.1:2"}
    with pytest.raises(CommandError, match="STAGEDOOR_TOKEN is not") as caught:
        locate(environ)
    assert caught.value.reason == "NO_TOKEN"


async def test_the_ready_file_leads_to_the_local_server(door: Door, alone: Stagedoor) -> None:
    ready = {"grpc": door.address, "token": door.token}
    write_ready_file(alone.folder / "var", ready)
    write_ready_file(alone.folder / "elsewhere", ready)
    results = await asyncio.gather(
        alone("tasks", "list", "--json"),
        alone("tasks", "list", "--json", STAGEDOOR_DATA_DIR="elsewhere"),
    )
    assert [(result.code, result.err) for result in results] == [(0, [])] * 2


@pytest.mark.parametrize("content", ["", "[]", '{"grpc": "127.0.0.1:1"}'])
def test_a_broken_ready_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "ready.json").write_text(content)
    with pytest.raises(CommandError, match=r"ready\.json") as caught:
        locate({"STAGEDOOR_DATA_DIR": str(tmp_path)})
    assert caught.value.reason == "NO_SERVER"


def test_the_environment_s_token_goes_to_the_local_server(tmp_path: Path) -> None:
    write_ready_file(tmp_path / "var", {"grpc": "127.0.0.1:1", "token": "file"})
    environ = {"STAGEDOOR_DATA_DIR": str(tmp_path / "var"), "STAGEDOOR_TOKEN": "mine"}
    assert locate(environ) == Location("127.0.0.1:1", "mine")


async def test_a_server_that_is_not_there_is_named(stagedoor: Stagedoor) -> None:
    result = await stagedoor("tasks", "list", STAGEDOOR_SERVER="127.0.0.1:1")
    assert (result.code, result.err) == (
        1,
        ["error: UNAVAILABLE: No server answers at 127.0.0.1:1."],
    )


async def test_a_bad_token_is_refused_in_one_line(stagedoor: Stagedoor) -> None:
    result = await stagedoor("tasks", "list", STAGEDOOR_TOKEN="nope")
    assert result.code == 1
    assert result.err == [
        "error: UNAUTHENTICATED: The token is missing, unknown, expired or revoked."
    ]


def write_ready_file(folder: Path, content: dict[str, str]) -> None:
    folder.mkdir()
    (folder / "ready.json").write_text(json.dumps(content))

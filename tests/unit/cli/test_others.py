"""``stagedoor tracks``, ``token``, ``db`` and ``inspect``."""

from __future__ import annotations

import asyncio
import json
import wave
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master

if TYPE_CHECKING:
    from tests.support.door import Door
    from tests.unit.cli.conftest import Stagedoor


async def test_a_track_can_be_made_and_listed(stagedoor: Stagedoor) -> None:
    made = await stagedoor("tracks", "create", "Night [bold]Shift", "--isrc", "usrc12345678")
    assert (made.code, len(made.out)) == (0, 1)
    listed = await stagedoor("tracks", "list")
    assert listed.out[0].split() == ["TRACK", "TITLE", "ISRC", "CREATED"]
    assert listed.out[1].startswith(made.out[0].removeprefix("tracks/"))
    assert "Night [bold]Shift" in listed.out[1]
    assert "USRC12345678" in listed.out[1]

    as_json = json.loads("\n".join((await stagedoor("tracks", "list", "--json")).out))
    assert [track["name"] for track in as_json["tracks"]] == made.out


async def test_a_track_needs_a_title(stagedoor: Stagedoor) -> None:
    result = await stagedoor("tracks", "create", "")
    assert (result.code, result.err) == (
        1,
        ["error: INVALID_FIELD: A value for title is required."],
    )


async def test_a_token_is_made_used_listed_and_revoked(
    alone: Stagedoor, door: Door, sqlite_url: str
) -> None:
    environ = {"STAGEDOOR_DATABASE_URL": sqlite_url, "STAGEDOOR_DATA_DIR": "data"}
    options = ("--name", "reader", "--scopes", "tracks:read", "--days", "1")
    made = await alone("token", "create", *options, **environ)
    assert (made.code, made.err, len(made.out)) == (0, [], 1)
    key_id = made.out[0].split("_")[1]

    server = {"STAGEDOOR_SERVER": door.address, "STAGEDOOR_TOKEN": made.out[0]}
    used, refused, listed = await asyncio.gather(
        alone("tracks", "list", **server),
        alone("tasks", "list", **server),
        alone("token", "list", **environ),
    )
    assert used.code == 0
    assert refused.err == ["error: SCOPE_MISSING: The token lacks the scope tasks:read."]
    [line] = [line for line in listed.out if key_id in line]
    assert "reader" in line
    assert made.out[0].split("_", 2)[2] not in line

    assert (await alone("token", "revoke", key_id, **environ)).code == 0


@pytest.mark.long
async def test_a_database_is_made_and_the_admin_program_s_exit_code_kept(alone: Stagedoor) -> None:
    environ = {"STAGEDOOR_DATA_DIR": str(alone.folder / "data")}
    made = await alone("db", "upgrade", **environ)
    assert (made.code, made.err) == (0, [])
    refused = await alone("token", "revoke", "0", **environ)
    assert (refused.code, refused.err) == (1, ["error: NOT_FOUND: There is no tokens/0."])


async def test_inspect_accepts_a_master(alone: Stagedoor) -> None:
    file = alone.folder / "master.wav"
    write_master(file, Spec(seconds=0.5))
    result = await alone("inspect", str(file))
    assert (result.code, result.err) == (0, [])
    assert result.out[0].startswith("master.wav: accepted")

    as_json = await alone("inspect", str(file), "--json")
    report = json.loads(as_json.out[0])
    assert (as_json.code, report["accepted"], report["profile"]) == (0, True, "atmos")


async def test_inspect_refuses_what_is_no_master(alone: Stagedoor) -> None:
    file = alone.folder / "stereo.wav"
    with wave.open(str(file), "wb") as stereo:
        stereo.setparams((2, 3, 48_000, 0, "NONE", ""))
        stereo.writeframes(bytes(6 * 4800))
    result = await alone("inspect", str(file), "--json")
    assert result.code == 1
    report = json.loads(result.out[0])
    assert "error" in {problem["severity"] for problem in report["problems"]}


async def test_inspect_cannot_read_what_is_not_there(alone: Stagedoor) -> None:
    results = await asyncio.gather(alone("inspect", "nope.wav"), alone("inspect", "."))
    for path, result in zip(("nope.wav", "."), results, strict=True):
        assert (result.code, result.out, len(result.err)) == (2, [], 1)
        assert result.err[0].startswith(f"error: NOT_READABLE: {path}: ")

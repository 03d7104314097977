"""``stagedoor audit list``, and ``stagedoor token`` where it is about an existing token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.door import Door
    from tests.unit.cli.conftest import Stagedoor


async def test_the_log_is_listed_from_either_end(stagedoor: Stagedoor, door: Door) -> None:
    made = await stagedoor("tracks", "create", "Night Shift")
    listed = await stagedoor("audit", "list")
    assert (listed.code, listed.err) == (0, [])
    assert listed.out[0].split() == ["WHEN", "WHO", "WHAT", "WHICH", "FROM"]
    when, who, what, which, address = listed.out[-1].split()
    assert when.endswith("Z")
    assert (who, what, which) == (door.token.split("_")[1], "tracks.create", made.out[0])
    assert "127.0.0.1" in address

    newest = await stagedoor("audit", "list", "--newest-first", "--page-size", "1", "--json")
    [entry] = json.loads("\n".join(newest.out))["auditEntries"]
    assert (entry["action"], entry["resource"]) == ("tracks.create", made.out[0])


async def test_the_log_is_for_admins(stagedoor: Stagedoor, door: Door) -> None:
    token = await door.core.use_cases.tokens.issue("default", "reader", ["tasks:read"])
    refused = await stagedoor("audit", "list", STAGEDOOR_TOKEN=token)
    assert (refused.code, refused.out) == (1, [])
    assert refused.err == ["error: SCOPE_MISSING: The token lacks the scope admin."]


@pytest.mark.long
async def test_a_token_is_rotated_and_its_use_listed(
    alone: Stagedoor, door: Door, sqlite_url: str
) -> None:
    environ = {"STAGEDOOR_DATABASE_URL": sqlite_url, "STAGEDOOR_DATA_DIR": "data"}
    [old] = (await alone("token", "create", "--name", "ci", **environ)).out
    rotated = await alone("token", "rotate", old.split("_")[1], "--overlap-hours", "2", **environ)
    assert (rotated.code, rotated.err, len(rotated.out)) == (0, [], 1)
    for token in (old, rotated.out[0]):
        assert (await door.core.use_cases.tokens.authenticate(token)).tenant == "default"
    await door.core.use_cases.executor.write(lambda _: None)

    lines = (await alone("token", "list", **environ)).out
    states = {line.split("\t")[0]: line.split("\t")[4:] for line in lines}
    state, use = states[old.split("_")[1]]
    assert state.startswith("active until ")
    assert state.endswith(f", rotated to {rotated.out[0].split('_')[1]}")
    assert use.startswith("used 20")
    assert states[rotated.out[0].split("_")[1]][0] == "active"

    again = await alone("token", "rotate", old.split("_")[1], **environ)
    assert (again.code, again.out) == (1, [])
    assert again.err[0].startswith("error: STATE_CONFLICT: The token was rotated to ")


async def test_without_tables_the_way_to_them_is_told(alone: Stagedoor) -> None:
    refused = await alone("token", "list", STAGEDOOR_DATA_DIR=str(alone.folder / "data"))
    message = "The database has no tables yet. Run `stagedoor db upgrade`."
    assert (refused.code, refused.err) == (1, [f"error: UNAVAILABLE: {message}"])

"""Tokens: issued, known again, rotated, ended, and when they were last used."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog
from sqlalchemy import delete, update

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.migrations import downgrade, upgrade
from services.api.db.schema import check_tables
from services.api.db.tables import tokens as table
from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    ScopeMissing,
    StateConflict,
    Unauthenticated,
    Unavailable,
)
from services.api.domain.principal import ADMIN, SCOPES, Principal
from services.api.domain.queries import Slice
from services.api.signals import Signals
from services.api.use_cases.token_use import COARSE, TokenUse
from services.api.use_cases.tokens import OPERATOR, Token, Tokens
from tests.support.core import a_principal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.core import Core

HOUR = timedelta(hours=1)


def key_of(token: str) -> str:
    return token.split("_")[1]


async def known(core: Core, token: str) -> Token:
    """What the list tells of a token."""
    [found] = [t for t in await core.use_cases.tokens.list() if t.key_id == key_of(token)]
    return found


async def change(core: Core, token: str, **values: object) -> None:
    """Write into a token's row."""
    this = update(table).where(table.c.key_id == key_of(token))
    await core.use_cases.executor.write(lambda t: t.connection.execute(this.values(values)))


async def last_use(core: Core, token: str, after: datetime) -> datetime:
    """When the token was last used, once a use after this one is written."""
    async with asyncio.timeout(5):
        while (used := (await known(core, token)).last_used_at or after) <= after:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
    return used


async def test_a_token_tells_whose_it_is_and_what_it_may_do(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    token = await tokens.issue("acme", "reader", ["tracks:read", "tasks:read", "tasks:read"])
    who = await tokens.authenticate(token)
    assert (who.tenant, who.token_id) == ("acme", key_of(token))
    assert who.scopes == {"tasks:read", "tracks:read"}


async def test_what_is_no_token_lets_nobody_in(core: Core) -> None:
    tokens = core.use_cases.tokens
    good = await tokens.issue("acme", "x", SCOPES)
    key, secret = good.split("_", 2)[1:]
    other = await tokens.issue("acme", "y", SCOPES)
    wrong = [
        None,
        "",
        f"sd_{key}_{other.split('_', 2)[2]}",
        f"sd_{'0' * 16}_{secret}",
        f"sd_{key}_",
        f"sd_{key.upper()}x_{secret}",
        f"{good} ",
        f"{good}\n",
        "a.b.c",
    ]
    for token in wrong:
        with pytest.raises(Unauthenticated):
            await tokens.authenticate(token)


async def test_a_tenant_and_scopes_must_be_such(core: Core) -> None:
    for tenant, scopes in (("../up", ["admin"]), ("acme", []), ("acme", ["root"])):
        with pytest.raises(InvalidFields):
            await core.use_cases.tokens.issue(tenant, "x", scopes)


async def test_a_token_ends(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    now = datetime.now(UTC)
    lasting = await tokens.issue("acme", "x", SCOPES, now + HOUR)
    expired = await tokens.issue("acme", "x", SCOPES, now - timedelta(seconds=1))
    revoked = await tokens.issue("acme", "x", SCOPES)
    await tokens.revoke(key_of(revoked))
    assert (await tokens.authenticate(lasting)).tenant == "acme"
    for token in (expired, revoked):
        with pytest.raises(Unauthenticated):
            await tokens.authenticate(token)
    with pytest.raises(NotFound):
        await tokens.revoke("0" * 16)


async def test_a_token_is_revoked_once(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    token = await tokens.issue("acme", "x", SCOPES)
    await tokens.revoke(key_of(token))
    first = (await known(any_core, token)).revoked_at
    await tokens.revoke(key_of(token))
    assert first is not None
    assert (await known(any_core, token)).revoked_at == first


async def test_a_rotated_token_works_beside_its_successor_for_a_while(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    old = await tokens.issue("acme", "reader", ["tracks:read"])
    before = datetime.now(UTC)
    new = await tokens.rotate(key_of(old), HOUR)
    first, second = await tokens.authenticate(old), await tokens.authenticate(new)
    assert first.token_id != second.token_id
    assert (first.tenant, first.scopes) == (second.tenant, second.scopes)

    left = await known(any_core, old)
    assert left.successor == key_of(new)
    assert left.expires_at is not None
    assert before + HOUR <= left.expires_at <= datetime.now(UTC) + HOUR
    made = await known(any_core, new)
    assert (made.name, made.scopes, made.expires_at) == ("reader", ("tracks:read",), None)


async def test_without_overlap_the_old_one_ends_at_once(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    old = await tokens.issue("acme", "x", SCOPES)
    new = await tokens.rotate(key_of(old), timedelta(0))
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(old)
    assert (await tokens.authenticate(new)).tenant == "acme"


async def test_rotation_never_prolongs_the_old_and_gives_the_new_a_whole_life(
    any_core: Core,
) -> None:
    tokens = any_core.use_cases.tokens
    now = datetime.now(UTC)
    old = await tokens.issue("acme", "x", SCOPES, now + timedelta(minutes=5))
    await change(any_core, old, created_at=now - 30 * 24 * HOUR)
    new = await tokens.rotate(key_of(old), HOUR)
    assert (await known(any_core, old)).expires_at == now + timedelta(minutes=5)
    ends = (await known(any_core, new)).expires_at
    assert ends is not None
    assert timedelta(0) <= ends - (now + 30 * 24 * HOUR) < 2 * timedelta(minutes=5)


async def test_what_has_ended_or_was_rotated_is_not_rotated(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    revoked = await tokens.issue("acme", "x", SCOPES)
    await tokens.revoke(key_of(revoked))
    expired = await tokens.issue("acme", "x", SCOPES, datetime.now(UTC))
    for token in (revoked, expired):
        with pytest.raises(StateConflict):
            await tokens.rotate(key_of(token), HOUR)
    with pytest.raises(NotFound):
        await tokens.rotate("0" * 16, HOUR)

    old = await tokens.issue("acme", "x", SCOPES)
    count = len(await tokens.list())
    answers = await asyncio.gather(
        *(tokens.rotate(key_of(old), HOUR) for _ in range(5)), return_exceptions=True
    )
    assert sorted(isinstance(answer, StateConflict) for answer in answers) == [False, *[True] * 4]
    assert len(await tokens.list()) == count + 1


async def test_revoking_the_successor_leaves_the_old_one_its_time(core: Core) -> None:
    tokens = core.use_cases.tokens
    old = await tokens.issue("acme", "x", SCOPES)
    new = await tokens.rotate(key_of(old), HOUR)
    await tokens.revoke(key_of(new))
    assert (await tokens.authenticate(old)).tenant == "acme"


async def test_what_is_done_to_tokens_is_in_the_audit_log(core: Core) -> None:
    tokens = core.use_cases.tokens
    old = await tokens.issue("acme", "x", SCOPES)
    new = await tokens.rotate(key_of(old), HOUR)
    await tokens.revoke(key_of(new))
    with pytest.raises(ScopeMissing):
        await core.use_cases.audit.list(
            replace(a_principal("acme"), scopes=SCOPES - {ADMIN}), Slice()
        )
    page = await core.use_cases.audit.list(a_principal("acme"), Slice())
    assert [(e.principal, e.action, e.resource) for e in page.items] == [
        (OPERATOR, "tokens.create", f"tokens/{key_of(old)}"),
        (OPERATOR, "tokens.rotate", f"tokens/{key_of(old)}"),
        (OPERATOR, "tokens.revoke", f"tokens/{key_of(new)}"),
    ]


async def test_use_is_noted_once_a_minute(any_core: Core) -> None:
    tokens = any_core.use_cases.tokens
    token = await tokens.issue("acme", "x", SCOPES)
    assert (await known(any_core, token)).last_used_at is None
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert (await known(any_core, token)).last_used_at is None

    before = datetime.now(UTC)
    await asyncio.gather(*(tokens.authenticate(token) for _ in range(20)))
    assert await last_use(any_core, token, before - HOUR) < before + HOUR

    # Another process has its own memory, the row is what both go by.
    recent = datetime.now(UTC) - COARSE / 2
    await change(any_core, token, last_used_at=recent)
    neighbour = Tokens(any_core.use_cases.executor)
    await neighbour.authenticate(token)
    await any_core.use_cases.executor.write(lambda _: None)
    assert (await known(any_core, token)).last_used_at == recent

    await change(any_core, token, last_used_at=datetime.now(UTC) - COARSE)
    await neighbour.authenticate(token)
    assert await last_use(any_core, token, recent) > recent


async def test_a_use_that_another_process_has_just_noted_is_left_alone(core: Core) -> None:
    token = await core.use_cases.tokens.issue("acme", "x", SCOPES)
    recent = datetime.now(UTC) - COARSE / 2
    await change(core, token, last_used_at=recent)
    # As if the row had been read just before.
    await TokenUse(core.use_cases.executor).note(key_of(token), None)
    await core.use_cases.executor.write(lambda _: None)
    assert (await known(core, token)).last_used_at == recent


async def test_nobody_waits_for_the_note_and_none_is_lost_at_the_end(
    sqlite_url: str, tmp_path: Path
) -> None:
    executor = Executor(open_engines(sqlite_url), Signals().notify)
    tokens = Tokens(executor)
    token = await tokens.issue("acme", "x", SCOPES)
    with closing(sqlite3.connect(tmp_path / "stagedoor.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        await tokens.authenticate(token)
        assert (await tokens.list())[0].last_used_at is None
    await executor.close()

    again = Executor(open_engines(sqlite_url), Signals().notify)
    assert (await Tokens(again).list())[0].last_used_at is not None
    await again.close()


async def test_a_database_that_takes_no_writes_still_lets_people_in(core: Core) -> None:
    tokens = core.use_cases.tokens
    token = await tokens.issue("acme", "x", SCOPES)
    async with core.engines.write.connect() as connection:
        await connection.exec_driver_sql("PRAGMA query_only=ON")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert (await tokens.authenticate(token)).tenant == "acme"
            with pytest.raises(Unavailable):
                await tokens.revoke(key_of(token))
    notes = [log for log in logs if log["event"] == "token_use_not_noted"]
    assert [log["key_id"] for log in notes] == [key_of(token)]


async def test_jwts_go_to_whom_knows_them_and_ours_never(core: Core) -> None:
    asked = []

    async def verify(token: str) -> Principal:
        asked.append(token)
        return a_principal("jwt")

    tokens = Tokens(core.use_cases.executor, verify)
    ours = await tokens.issue("acme", "x", SCOPES)
    assert (await tokens.authenticate(ours)).tenant == "acme"
    assert (await tokens.authenticate("a.b.c")).tenant == "jwt"
    await core.use_cases.executor.write(lambda t: t.connection.execute(delete(table)))
    for token in (ours, None):
        with pytest.raises(Unauthenticated):
            await tokens.authenticate(token)
    assert asked == ["a.b.c"]


async def test_tables_that_are_missing_or_old_are_told(database_url: str) -> None:
    engines = open_engines(database_url)
    try:
        await check_tables(engines)
        await downgrade(engines, "0002")
        with pytest.raises(Unavailable, match=r"revision 0002.*stagedoor db upgrade"):
            await check_tables(engines)
        await downgrade(engines, "base")
        with pytest.raises(Unavailable, match=r"no tables yet.*stagedoor db upgrade"):
            await check_tables(engines)
        await upgrade(engines)
        await check_tables(engines)
    finally:
        await engines.dispose()

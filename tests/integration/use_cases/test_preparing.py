"""What the embedded stack's API does before it serves: its tables, and a token that is good."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.schema import check_tables
from services.api.domain.errors import Unavailable, WrongTables
from services.api.domain.principal import ADMIN
from services.api.preparing import TENANT, prepare
from services.api.signals import Signals
from services.api.use_cases.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.principal import Principal


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[Tokens]:
    """Those of a database that has no tables yet."""
    executor = Executor(open_engines(f"sqlite+aiosqlite:///{tmp_path}/new.db"), Signals().notify)
    yield Tokens(executor)
    await executor.close()


async def test_an_empty_database_gets_tables_and_a_token(tokens: Tokens, tmp_path: Path) -> None:
    file = tmp_path / "token"

    await prepare(tokens, file)

    await check_tables(tokens.executor.engines)
    principal = await tokens.authenticate(file.read_text())
    assert (principal.tenant, principal.scopes) == (TENANT, frozenset({ADMIN}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_token_stays_while_it_is_good(tokens: Tokens, tmp_path: Path) -> None:
    file = tmp_path / "token"
    await prepare(tokens, file)
    first = file.read_text()

    await prepare(tokens, file)
    assert file.read_text() == first

    (known,) = await tokens.list()
    await tokens.revoke(known.key_id)
    await prepare(tokens, file)
    assert file.read_text() != first
    await tokens.authenticate(file.read_text())


async def test_what_cannot_be_judged_now_stays(tokens: Tokens, tmp_path: Path) -> None:
    async def away(_: str) -> Principal:
        raise Unavailable("The identity provider does not answer.")

    file = tmp_path / "token"
    file.write_text("e30.e30.e30")

    await prepare(Tokens(tokens.executor, away), file)

    assert file.read_text() == "e30.e30.e30"
    assert await tokens.list() == ()


async def test_tables_of_a_version_to_come_are_left_alone(tokens: Tokens, tmp_path: Path) -> None:
    file = tmp_path / "token"
    await prepare(tokens, file)
    async with tokens.executor.engines.write.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE compatibility SET oldest_revision = '9999'"))

    with pytest.raises(WrongTables, match="at revision 9999"):
        await prepare(tokens, file)

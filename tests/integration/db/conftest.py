"""What the tests of the database share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.core import migrate
from tests.support.replicas import open_replicas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.core import Core
    from tests.support.postgres import PostgresServer


@pytest.fixture
def migrated(postgres_server: PostgresServer) -> str:
    """The URL of a PostgreSQL database of this test's own, with all tables."""
    return postgres_server.database(migrate)


@pytest.fixture
async def replicas(migrated: str) -> AsyncIterator[list[Core]]:
    """Three replicas of the API over one PostgreSQL, which hear of each other."""
    async with open_replicas(migrated, 3) as cores:
        yield cores

"""Looking at what no use case shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from services.api.db.tables import doomed_blobs

if TYPE_CHECKING:
    from tests.support.core import Core

Doomed = Callable[[], Awaitable[set[str]]]


@pytest.fixture
def doomed(any_core: Core) -> Doomed:
    """Gives the keys that are written down for deletion."""

    async def keys() -> set[str]:
        return await any_core.use_cases.executor.read(
            lambda c: set(c.scalars(select(doomed_blobs.c.blob_key)))
        )

    return keys

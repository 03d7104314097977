"""A served core for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.door import open_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.core import Core
    from tests.support.door import Door


@pytest.fixture
async def door(core: Core) -> AsyncIterator[Door]:
    """The gRPC door, served."""
    async with open_door(core) as opened:
        yield opened

"""A receiver, and what sends to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.notify.senders import Senders
from tests.support.notifying import LOCAL, notifying
from tests.support.receiver import authority_file, running_receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.notifying import Notifying
    from tests.support.receiver import Receiver


@pytest.fixture
def senders(tmp_path: Path) -> Senders:
    return Senders.build(LOCAL, None, authority_file(tmp_path))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
async def hooks(sqlite_url: str, senders: Senders) -> AsyncIterator[Notifying]:
    """On SQLite."""
    async with notifying(sqlite_url, senders) as running:
        yield running


@pytest.fixture
async def any_hooks(database_url: str, senders: Senders) -> AsyncIterator[Notifying]:
    """Once on SQLite and once on PostgreSQL."""
    async with notifying(database_url, senders) as running:
        yield running

"""One running stack for the suite; those who break things start their own."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support.stack import Client, Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_numbers = count(1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running product."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    """A client of it."""
    async with Client(stack.ready) as opened:
        yield opened


@pytest.fixture
def new_isrc() -> Callable[[], str]:
    """ISRCs that nobody else in the suite has."""
    return lambda: f"USRC1{next(_numbers):07d}"

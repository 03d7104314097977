"""A running origin, and a download stage that trusts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.downloads import Bench
from tests.support.origin import Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, origin: Origin) -> Bench:
    return Bench(tmp_path / "blobs", origin.trusting())

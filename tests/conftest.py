"""Fixtures that every suite may ask for."""

from __future__ import annotations

import gc
import signal
from typing import TYPE_CHECKING

import pytest
from aiohttp import web_app

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.support.postgres", "tests.support.core"]


def pytest_configure() -> None:
    """Let children be interrupted, also where a shell has put the tests in the background.

    Such a shell has them ignore Ctrl-C, and what is ignored stays so in every child.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Look no more, whenever garbage is collected, at all that was imported: it stays anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_application_is_kept() -> Iterator[None]:
    """Forget those that aiohttp keeps for its 1,024 last handlers, each with its database."""
    yield
    web_app._cached_build_middleware.cache_clear()  # noqa: SLF001 - there is no other way

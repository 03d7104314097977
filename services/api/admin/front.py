"""What every command of the operator has in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.schema import check_tables
from services.api.settings import ApiSettings
from services.api.signals import Signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.db.engine import Engines

Action = Callable[[ApiSettings, argparse.Namespace], Awaitable[int]]
"""Does what the arguments say; gives the exit code."""

if TYPE_CHECKING:
    Nouns = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name


@asynccontextmanager
async def opened(settings: ApiSettings) -> AsyncIterator[Engines]:
    """The database, whatever is in it; a SQLite file is made if there is none."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engines = open_engines(settings.database())
    try:
        yield engines
    finally:
        await engines.dispose()


@asynccontextmanager
async def executor(settings: ApiSettings) -> AsyncIterator[Executor]:
    """Units on a database whose tables fit. Raises Unavailable."""
    async with opened(settings) as engines:
        await check_tables(engines)
        yield Executor(engines, Signals().notify)


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

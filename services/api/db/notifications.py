"""Wake-ups between replicas on PostgreSQL: NOTIFY with the commit, LISTEN beside the pool.

They are signals and no more: one that is lost costs the wait for the next poll. On SQLite there is
one API only and nothing of this runs.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from services.api.signals import CANCEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.api.db.engine import Engines

CHANNEL: Final = "stagedoor"
# PostgreSQL refuses a payload of 8000 bytes, and with it the transaction.
MAX_PAYLOAD_BYTES: Final = 7999
# How long a connection that is cut without a word can go unnoticed.
PROBE_SECONDS: Final = 15.0
PROBE_LIMIT_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class Wakes(Protocol):
    """Who is told what other replicas have committed."""

    def notify(self, topic: str) -> None:
        """Wake who waits for the topic."""

    def notify_all(self) -> None:
        """Wake everyone."""


def tell_replicas(connection: Connection, replica: str, topics: Iterable[str]) -> None:
    """Let the other replicas hear of the topics once the transaction commits.

    Hints to cancel stay here: the broker carries them to every worker, once is enough.
    """
    heard = sorted(topic for topic in topics if not topic.startswith(f"{CANCEL}:"))
    if heard and connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, _pack(replica, heard))))


def _pack(replica: str, topics: list[str]) -> str:
    packed = json.dumps([replica, *topics], ensure_ascii=False, separators=(",", ":"))
    if len(packed.encode()) <= MAX_PAYLOAD_BYTES:
        return packed
    return json.dumps([replica])  # whoever waits for whatever


def listeners(engines: Engines, wakes: Wakes) -> list[Listener]:
    """Who hears what other replicas commit: one on PostgreSQL, nobody on SQLite."""
    if engines.listen is None:
        return []
    return [Listener(engines.listen, engines.replica, wakes)]


@dataclass(slots=True)
class Listener:
    """One connection that hears; it comes back for ever, and then wakes everyone."""

    engine: AsyncEngine
    replica: str
    wakes: Wakes
    _again_after: float = field(default=FIRST_PAUSE_SECONDS, init=False)

    async def run(self) -> None:
        """Listen for ever."""
        from asyncpg import InterfaceError, PostgresError  # SQLite does without

        while True:
            try:
                await self._listen()
            except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
                _log.warning("listener_away", error=type(error).__name__)
            await asyncio.sleep(self._again_after)
            self._again_after = min(self._again_after * 2, LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Listen until the connection is lost, perhaps with an error."""
        lost = asyncio.Event()
        async with self.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.add_termination_listener(lambda _: lost.set())
            try:
                await driver.add_listener(CHANNEL, self._hear)
                _log.info("listener_ready")
                self._again_after = FIRST_PAUSE_SECONDS
                self.wakes.notify_all()  # what was committed while nobody listened
                await _until_lost(driver, lost)
            finally:
                driver.terminate()  # closing in order would wait for a server that is silent

    def _hear(self, _driver: object, _pid: int, _channel: str, payload: str) -> None:
        match _unpack(payload):
            case [self.replica, *_]:
                pass
            case [str(), str(), *_] as message:
                for topic in message[1:]:
                    self.wakes.notify(topic)
            case _:  # too many topics, or words of another version
                self.wakes.notify_all()


async def _until_lost(driver: Any, lost: asyncio.Event) -> None:
    while not lost.is_set():
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await lost.wait()
        except TimeoutError:
            await driver.execute("SELECT 1", timeout=PROBE_LIMIT_SECONDS)


def _unpack(payload: str) -> list[Any] | None:
    try:
        message = json.loads(payload)
    except ValueError:
        return None
    return message if isinstance(message, list) else None

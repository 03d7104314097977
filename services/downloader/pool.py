"""Connections that are kept for the next request to the same origin."""

from __future__ import annotations

import select
import threading
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.downloader.connection import Connection
    from services.downloader.request import Place
    from shared.origin.guard import AddressGuard

IDLE_SECONDS = 10.0
MAX_PER_ORIGIN = 8
MAX_IDLE = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Idle:
    place: Place
    connection: Connection
    since: float


class Pool:
    """Keeps idle connections for a while, oldest first; for any number of threads.

    What is given out is quiet (nothing was sent that nobody asked for, and nobody hung up) and
    leads to where the guard lets connections go now.
    """

    def __init__(self, guard: AddressGuard, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._guard = guard
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []
        self._sweeper: threading.Timer | None = None
        self._closed = False

    def take(self, place: Place) -> Connection | None:
        """Return a connection to an origin that may be used at once, the latest first."""
        while idle := self._pop(place):
            if self._is_fit(idle):
                return idle.connection
            idle.connection.close()
        return None

    def give(self, place: Place, connection: Connection) -> None:
        """Keep a connection whose last response was read to its end; its owner lets go of it."""
        given = _Idle(place, connection, monotonic())
        with self._lock:
            over = [given] if self._closed else self._crowded_out(place)
            self._idle = [idle for idle in (*self._idle, given) if idle not in over]
            self._plan_sweep()
        _close(over)

    def close(self) -> None:
        """Close all that is kept, and whatever is given back later."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            sweeper.join()
        _close(idle)

    def _pop(self, place: Place) -> _Idle | None:
        with self._lock:
            for idle in reversed(self._idle):
                if idle.place == place:
                    self._idle.remove(idle)
                    return idle
        return None

    def _crowded_out(self, place: Place) -> list[_Idle]:
        """Return who must go for one more connection to an origin to come."""
        same = [idle for idle in self._idle if idle.place == place]
        return _surplus(same, MAX_PER_ORIGIN) or _surplus(self._idle, MAX_IDLE)

    def _is_fit(self, idle: _Idle) -> bool:
        socket = idle.connection.socket
        return (
            monotonic() - idle.since <= self._idle_seconds
            and not socket.pending()
            and not _is_readable(socket.fileno())
            and self._guard.allows_peer(socket)
        )

    def _plan_sweep(self) -> None:
        if self._sweeper is None and self._idle:
            left = self._idle[0].since + self._idle_seconds - monotonic()
            self._sweeper = threading.Timer(max(left, 0.0), self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        """Close what was not wanted for long enough, even if nobody ever asks again."""
        horizon = monotonic() - self._idle_seconds
        with self._lock:
            old = [idle for idle in self._idle if idle.since <= horizon]
            self._idle = self._idle[len(old) :]
            self._sweeper = None
            self._plan_sweep()
        _close(old)


def _surplus(idle: list[_Idle], limit: int) -> list[_Idle]:
    """The oldest, as many as must go for one more to come."""
    return idle[: max(0, len(idle) + 1 - limit)]


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _close(idle: list[_Idle]) -> None:
    for one in idle:
        one.connection.close()

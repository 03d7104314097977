"""Gates: how many may be busy with the same host, or for the same tenant, at once."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.downloader.transport import Response, Transport
    from shared.origin.stop import Stop

# Who waits longer gives the claim back: the task's row waits better than a worker's slot.
PATIENCE_SECONDS = 10.0


class Busy(Exception):  # noqa: N818 - a state of the gate, not a fault
    """Others filled the gate for too long; ``reason`` says which gate."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Gate:
    """Lets ``most`` in at once by key, first come first served; for any number of threads."""

    def __init__(
        self, most: int, *, busy_reason: str, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._most = most
        self._busy_reason = busy_reason
        self._patience = patience_seconds
        self._changed = threading.Condition()
        self._inside: dict[str, int] = {}
        self._queues: dict[str, deque[object]] = {}

    @contextmanager
    def entered(self, key: str, stop: Stop) -> Iterator[None]:
        """Be inside for the block. Raises Busy after the patience, Stopped."""
        stop.check()
        if not self._enter_at_once(key):
            with stop.waking(self._wake):
                self._enter(key, stop)
        try:
            yield
        finally:
            self._leave(key)

    def keys(self) -> frozenset[str]:
        """Return the keys that someone is inside of or waits for."""
        with self._changed:
            return frozenset(self._inside) | frozenset(self._queues)

    def waiting(self, key: str) -> int:
        """Return how many wait to get in."""
        with self._changed:
            return len(self._queues.get(key, ()))

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _enter_at_once(self, key: str) -> bool:
        """Enter if nobody is before us: most do, and need no place in a queue."""
        with self._changed:
            inside = self._inside.get(key, 0)
            if key in self._queues or inside >= self._most:
                return False
            self._inside[key] = inside + 1
            return True

    def _enter(self, key: str, stop: Stop) -> None:
        ticket = object()
        until = monotonic() + self._patience
        with self._changed:
            queue = self._queues.setdefault(key, deque())
            queue.append(ticket)
            try:
                while queue[0] is not ticket or self._inside.get(key, 0) >= self._most:
                    stop.check()
                    if not self._changed.wait(until - monotonic()) and monotonic() >= until:
                        raise Busy(self._busy_reason)
                self._inside[key] = self._inside.get(key, 0) + 1
            finally:
                queue.remove(ticket)
                if not queue:
                    del self._queues[key]
                self._changed.notify_all()

    def _leave(self, key: str) -> None:
        with self._changed:
            self._inside[key] -= 1
            if not self._inside[key]:
                del self._inside[key]
            self._changed.notify_all()


class GatedTransport:
    """A Transport with at most so many requests under way per host (name and port)."""

    def __init__(self, transport: Transport, hosts: Gate) -> None:
        self._transport = transport
        self._hosts = hosts

    def get(
        self, url: str, headers: Mapping[str, str], stop: Stop
    ) -> AbstractContextManager[Response]:
        """Send a GET once the host's gate lets it; see Transport. Raises Busy."""
        return self._get(url, headers, stop)

    @contextmanager
    def _get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Iterator[Response]:
        with (
            self._hosts.entered(urlsplit(url).netloc, stop),
            self._transport.get(url, headers, stop) as response,
        ):
            yield response

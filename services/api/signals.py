"""Wake-ups inside the process: a commit tells who waits for it that there is something to see.

A signal carries nothing and may be missed (another replica commits too): whoever waits polls
besides, and reads the database for the truth.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

DISPATCH = "dispatch"
OUTBOX = "outbox"
DOOMED = "doomed"
DELIVERIES = "deliveries"
CANCEL = "cancel"


def task_topic(task_id: object) -> str:
    """The topic of one task's changes."""
    return f"task:{task_id}"


def tenant_topic(tenant: str) -> str:
    """The topic of the changes of all tasks of a tenant."""
    return f"tenant:{tenant}"


def cancel_topic(task_id: UUID, generation: int) -> str:
    """The topic that says: runs of this generation and older are void."""
    return f"{CANCEL}:{task_id}:{generation}"


class Subscription:
    """Remembers whether its topic was notified since the last wait."""

    def __init__(self) -> None:
        """Start without a signal."""
        self._event = asyncio.Event()

    def set(self) -> None:
        """Notify."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109 - a poll interval, not a limit
        """Wait for the signal, at most so many seconds; say whether it came."""
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Signals:
    """Topics and who waits for them."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._subscribers: dict[str, set[Subscription]] = defaultdict(set)
        self._listeners: list[Callable[[str], None]] = []

    def notify(self, topic: str) -> None:
        """Wake everyone who waits for the topic."""
        for subscription in self._subscribers.get(topic, ()):
            subscription.set()
        for listen in self._listeners:
            listen(topic)

    def notify_all(self) -> None:
        """Wake everyone, whatever they wait for."""
        for subscriptions in self._subscribers.values():
            for subscription in subscriptions:
                subscription.set()

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call the listener, which must not wait, with every topic from now on."""
        self._listeners.append(listener)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Listen to a topic as long as the context lasts."""
        subscription = Subscription()
        self._subscribers[topic].add(subscription)
        try:
            yield subscription
        finally:
            self._subscribers[topic].discard(subscription)
            if not self._subscribers[topic]:
                del self._subscribers[topic]

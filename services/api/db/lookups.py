"""Questions that can be asked for many keys in one statement.

A server that is asked much is asked the same questions side by side: who holds this token, what is
this task. While one statement is under way those who ask gather, and the next one is for all of
them. Nobody is answered by a statement that began before they asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection

    from sqlalchemy import Connection

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
T = TypeVar("T")

MAX_KEYS = 128
AT_ONCE = 2
"""How many statements of one lookup may be under way: one that is slow must not stop all."""

TURNS = 4
"""Of the event loop before a statement begins: whose requests have arrived by now can join."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup(Generic[K, V_co]):
    """One question; ``fetch`` gives what there is by the keys that it is there for."""

    fetch: Callable[[Connection, Sequence[K]], Mapping[K, V_co]]


Ask = tuple[Lookup[Any, Any], Hashable]
"""A lookup with a key to ask for, or with the ``Of`` that tells it."""


@dataclass(frozen=True, slots=True)
class Of:
    """The key that is told by what another lookup finds; None is none."""

    lookup: Lookup[Any, Any]
    key: Hashable
    tell: Callable[[Any], Hashable | None]


_Waiting = list[tuple[Hashable, "asyncio.Future[Any]"]]
_Read = Callable[[Callable[["Connection"], Mapping[Any, Any]]], "Awaitable[Mapping[Any, Any]]"]


class Gathering:
    """Asks for many callers at once."""

    def __init__(self, read: _Read) -> None:
        """Ask by ``read``, which runs a query."""
        self._read = read
        self._waiting: dict[Lookup[Any, Any], _Waiting] = {}
        self._running: Counter[Lookup[Any, Any]] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()

    async def find(self, lookup: Lookup[K, V], key: K) -> V | None:
        """What there is by this key, or None; raises what ``read`` raises."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lookup, []).append((key, answer))
        self._begin(lookup)
        return await answer

    def _begin(self, lookup: Lookup[Any, Any]) -> None:
        if self._running[lookup] < AT_ONCE and lookup in self._waiting:
            self._running[lookup] += 1
            task = asyncio.create_task(self._run(lookup))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _run(self, lookup: Lookup[Any, Any]) -> None:
        await let_others_join()
        waiting = self._waiting.pop(lookup, [])
        batch, rest = waiting[:MAX_KEYS], waiting[MAX_KEYS:]
        if rest:
            self._waiting[lookup] = rest
        try:
            if batch:
                await self._ask(lookup, batch)
        finally:
            self._running[lookup] -= 1
            self._begin(lookup)

    async def _ask(self, lookup: Lookup[Any, Any], batch: _Waiting) -> None:
        keys = padded({key for key, _ in batch})
        try:
            found = await self._read(partial(_fetch, lookup, keys))
        except Exception as error:  # noqa: BLE001 - it is for those who asked
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for key, answer in batch:
                if not answer.done():  # who has gone needs no answer
                    answer.set_result(found.get(key))


async def let_others_join() -> None:
    """Wait as long as it takes to read the requests that are there."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _fetch(lookup: Lookup[K, V], keys: Sequence[K], connection: Connection) -> Mapping[K, V]:
    return lookup.fetch(connection, keys)


def padded(keys: Collection[K]) -> Sequence[K]:
    """The keys, and one of them again until there are a power of two: few statements to prepare."""
    some = [*keys]
    return some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


def pairs(keys: Sequence[tuple[str, T]]) -> dict[str, list[Any]]:
    """Keys of two parts, the first of them a tenant, as the parameters of ``tenants`` and ``keys``.

    They find all that a tenant of them has by a key of them, in both: more than was asked for.
    """
    return {"tenants": [tenant for tenant, _ in keys], "keys": [key for _, key in keys]}

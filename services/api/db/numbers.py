"""Numbers of a tenant's tasks and items: each is given once, beginning with 1, with gaps.

A replica takes them in blocks, so that no two creates wait for each other's number.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from services.api.db.catalogue_tables import numbers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.db.transactions import Transaction

    RunAlone = Callable[[Callable[[Transaction], range]], Awaitable[range]]

BLOCK = 50
"""The first; each is twice the one before, up to a large one."""
LARGE_BLOCK = 1000
"""For a unit that needs more than a block has: it makes 500 things at most."""

Key = tuple[str, str]
"""A tenant and a collection."""


class NumbersGone(Exception):  # noqa: N818 - not an error but a question
    """There is no number left; the unit has to run again when there is."""

    def __init__(self, key: Key) -> None:
        """Take of what."""
        super().__init__(key)
        self.key = key


class Numbers:
    """Those that this replica has taken and not given yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self._left: dict[Key, range] = {}
        self._sizes: dict[Key, int] = {}
        self._unused: dict[Key, list[int]] = {}
        self._fetching: dict[Key, asyncio.Task[None]] = {}

    def next(self, key: Key) -> int:
        """One that nobody else gets, also if the unit is not committed. Raises NumbersGone."""
        if unused := self._unused.get(key):
            return heappop(unused)
        left = self._left.get(key)
        if not left:
            raise NumbersGone(key)
        self._left[key] = left[1:]
        return left[0]

    def take_back(self, key: Key, number: int) -> None:
        """Give it to somebody else: nobody has seen it."""
        heappush(self._unused.setdefault(key, []), number)

    async def fetch(self, key: Key, size: int, run_alone: RunAlone) -> None:
        """Wait for a block, with all others who need one; Unavailable if there is no database.

        Who shared a commit might wait there, and keep the row that every replica needs.
        """
        if 2 * len(self._left.get(key, ())) >= size:
            return  # it has just come
        if key not in self._fetching:
            self._fetching[key] = fetching = asyncio.create_task(self._take(key, size, run_alone))
            fetching.add_done_callback(lambda done: self._has_fetched(key, done))
        await asyncio.shield(self._fetching[key])

    async def _take(self, key: Key, size: int, run_alone: RunAlone) -> None:
        size = max(size, self._sizes.get(key, size))
        # What is left of the block before is never given: there are enough numbers.
        self._left[key] = await run_alone(lambda transaction: take_block(transaction, key, size))
        self._sizes[key] = min(2 * size, LARGE_BLOCK)

    def _has_fetched(self, key: Key, done: asyncio.Task[None]) -> None:
        del self._fetching[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it, or has gone


def take_block(transaction: Transaction, key: Key, size: int) -> range:
    """The next numbers, for nobody else: from 1 when none were taken before."""
    tenant, collection = key
    new = transaction.insert(numbers).values(tenant=tenant, collection=collection, next=1 + size)
    taken = new.on_conflict_do_update(
        index_elements=["tenant", "collection"], set_={"next": numbers.c.next + size}
    ).returning(numbers.c.next)
    end: int = transaction.connection.execute(taken).scalar_one()
    return range(end - size, end)

"""What clients want during a soak, and what must have become of each task at its end."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from tests.support import replies
from tests.support.faults.client import RefusedError
from tests.support.faults.masters import large, small, throttled
from tests.support.faults.publishing import FORMATS
from tests.support.faults.soak.plan import FAILING

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.faults.client import Client
    from tests.support.faults.publishing import Publisher
    from tests.support.faults.soak.plan import Wish
    from tests.support.faults.system import System

_MASTER_RATE: Final = 2_000_000
_NO_ATMOS: Final = b"RIFF" + bytes(40_000)
# The client's own words for "not now" and "no more", which are answers too.
_ANSWERS: Final = {404, 409, 412, 422}


class Work:
    """The tasks of a soak: ``made`` by number; by id the last statuses, ``expected`` and real.

    ``publications`` are the names of those that were asked for, ``renditions`` the formats that
    each had in its end.
    """

    def __init__(self, system: System, client: Client, publisher: Publisher) -> None:
        """Ask these clients."""
        self._system = system
        self._client = client
        self._publisher = publisher
        self.made: dict[int, UUID] = {}
        self.expected: dict[UUID, str] = {}
        self.ended: dict[UUID, str] = {}
        self.publications: list[str] = []
        self.renditions: dict[str, tuple[str, ...]] = {}
        self.refused = 0
        self._there: dict[int, asyncio.Event] = {}

    async def do(self, wish: Wish) -> None:
        """One wish; what concerns a task waits until that was made."""
        there = self._there.setdefault(wish.number, asyncio.Event())
        if wish.verb == "create":
            await self._create(wish)
            there.set()
            return
        await there.wait()
        try:
            await self._ask(wish)
        except RefusedError as refusal:
            if refusal.status not in _ANSWERS:
                raise
            self.refused += 1

    async def _create(self, wish: Wish) -> None:
        path = f"/{wish.number}"
        match wish.sort:
            case "missing":
                id_ = await self._client.create(self._system.serve(path, replies.answer(404)))
            case "not atmos":
                id_ = await self._client.bring(path, _NO_ATMOS)
            case "wrong md5":
                id_ = await self._client.bring(path, small(), declaredMd5="0" * 32)
            case "declared":
                id_ = await self._client.bring(path, small(), declaredMd5=_md5(small()))
            case "large":
                body = large(1 + wish.number % 3)
                id_ = await self._client.bring(path, body, bytes_per_second=_MASTER_RATE)
            case _:
                id_ = await self._client.bring(path, small())
        self.made[wish.number] = id_
        self.expected[id_] = FAILING.get(wish.sort, "completed")

    async def _ask(self, wish: Wish) -> None:
        id_ = self.made[wish.number]
        match wish.verb:
            case "change" if wish.sort in {"small", "large"}:
                body = large(1)
                reply = throttled(replies.file(body, etag='"v2"'), _MASTER_RATE)
                url = self._system.serve(f"/{wish.number}/v2", reply)
                await self._client.patch(id_, md5=_md5(body), url=url)
            case "relink" | "change":
                await self._client.patch(id_, secondaryIsrc=self._client.ledger.new_isrc())
            case "retry":
                await self._client.retry(id_)
            case "publish":
                self.publications.append(await self._publisher.start(id_))
            case _:
                await self._client.delete(id_)
                del self.expected[id_]

    async def all_published(self, within: float) -> None:
        """Wait until all that was to be published has ended; all of it can be."""
        ended = await asyncio.gather(
            *(self._publisher.ended(name, within) for name in self.publications)
        )
        self.renditions = {
            each.name: tuple(rendition.format for rendition in each.renditions) for each in ended
        }

    def surprises(self) -> list[str]:
        """The tasks whose last status is another than the one that their master deserves.

        Besides, the publications that have not all their formats.
        """
        tasks = [
            f"{id_} is {self.ended.get(id_)}, not {status}"
            for id_, status in self.expected.items()
            if self.ended.get(id_) != status
        ]
        return tasks + [
            f"{name} has the formats {formats}"
            for name, formats in self.renditions.items()
            if formats != FORMATS
        ]


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()

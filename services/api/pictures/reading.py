"""Reads each picture in a child process of its own (shared/sandbox)."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from services.api.pictures.messages import Limits, Picture, Request, Unreadable
from shared.sandbox.parent import ChildCrashed, ask

if TYPE_CHECKING:
    from pathlib import Path

CHILD: Final = (sys.executable, "-B", "-m", "services.api.pictures.child")
MAX_RESULT_BYTES: Final = 1 << 20
AT_ONCE: Final = 2
"""How many pictures are read at once: each may take a few hundred MiB."""


class NoPicture(Exception):  # noqa: N818 - what the file is
    """The file cannot be decoded; the text says why."""


def _slots() -> asyncio.Semaphore:
    return asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reads pictures; ``confined`` as for all children of the sandbox."""

    confined: bool = True
    _free: asyncio.Semaphore = field(default_factory=_slots)

    async def read(self, path: Path, thumbnail_side: int) -> Picture:
        """What a picture is, with a thumbnail. Raises NoPicture."""
        request = Request(
            path=str(path),
            thumbnail_side=thumbnail_side,
            limits=Limits(confined=self.confined),
            parent=os.getpid(),
        )
        async with self._free:
            try:
                said = await ask(CHILD, request, max_bytes=MAX_RESULT_BYTES)
            except ChildCrashed as crash:
                raise NoPicture(f"The picture cannot be read: {crash.reason}.") from None
        try:
            found = msgspec.json.decode(said.answer, type=Picture | Unreadable)
        except msgspec.MsgspecError:
            raise NoPicture("The picture cannot be read.") from None
        if isinstance(found, Unreadable):
            raise NoPicture(found.detail)
        return found

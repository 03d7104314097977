"""A bounded window that slides over the file: fetched by many in any order, taken by one in order.

Memory is what bounds it: a segment is claimed only with a buffer at hand, and its buffer serves the
next one only after its bytes are stored and hashed.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Segment:
    """The bytes from ``first`` on; ``got`` of them have arrived in ``memory``."""

    first: int
    memory: memoryview
    got: int = 0

    @property
    def rest(self) -> memoryview:
        """The memory that is still to be filled."""
        return self.memory[self.got :]


class Window:
    """The segments of the bytes from ``start`` to ``total``, at most ``most`` in memory at once.

    For any number of threads. ``end`` wakes everyone who waits, with None.
    """

    def __init__(self, start: int, total: int, *, segment_bytes: int, most: int) -> None:
        self._next = start
        self._total = total
        self._size = segment_bytes
        self._unmade = most
        self._free: list[memoryview] = []
        self._order: deque[Segment] = deque()
        self._whole: set[int] = set()
        self._ended = False
        self._changed = threading.Condition()

    def claim(self) -> Segment | None:
        """Return the next segment to fetch, once there is memory; None if there is no more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or self._next >= self._total or self._free or self._unmade
            )
            if self._ended or self._next >= self._total:
                return None
            size = min(self._size, self._total - self._next)
            segment = Segment(self._next, self._memory()[:size])
            self._next += size
            self._order.append(segment)
            return segment

    def done(self, segment: Segment) -> None:
        """Note that a segment is whole."""
        with self._changed:
            self._whole.add(segment.first)
            self._changed.notify_all()

    def in_order(self) -> Iterator[Segment]:
        """Yield whole segments in the order of the file, until the last or the end."""
        while (segment := self._first_whole()) is not None:
            yield segment

    def free(self, memory: memoryview) -> None:
        """Take back the memory of a segment that was yielded."""
        with self._changed:
            self._free.append(memoryview(memory.obj))
            self._changed.notify_all()

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _first_whole(self) -> Segment | None:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._ended
                    or (self._order and self._order[0].first in self._whole)
                    or (not self._order and self._next >= self._total)
                )
            )
            if not self._order or self._order[0].first not in self._whole:
                return None
            segment = self._order.popleft()
            self._whole.remove(segment.first)
            return segment

    def _memory(self) -> memoryview:
        if self._free:
            return self._free.pop()
        self._unmade -= 1
        return memoryview(bytearray(self._size))

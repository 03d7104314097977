"""Whole frames out of pieces: a raw file read in order, or what transport packets carry."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.adm.source import Source

PIECE_BYTES = 1 << 20
MAX_FRAME_BYTES = 1 << 20


def pieces(source: Source, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield a file's bytes in order, each piece with its offset."""
    for offset in range(start, source.size, PIECE_BYTES):
        yield offset, source.peek(offset, PIECE_BYTES)


def frames(
    parts: Iterable[tuple[int, bytes]], header_bytes: int, size_of: Callable[[bytes], int]
) -> Iterator[tuple[int, bytes]]:
    """Put frames together from pieces that follow each other; each comes with its file offset.

    ``size_of`` tells a frame's size in bytes from its first ``header_bytes``. Never more than one
    frame and one piece is held. Raises FormatError, at the frame's offset, when it has no head, is
    longer than MAX_FRAME_BYTES or ends too early.
    """
    held, marks = bytearray(), _Marks()
    wanted = header_bytes
    for offset, piece in parts:
        marks.add(offset, len(held))
        held += piece
        at = 0
        while len(held) - at >= wanted:
            if wanted == header_bytes:
                wanted = _size(bytes(held[at : at + header_bytes]), size_of, marks, at)
                continue
            yield marks.offset(at), bytes(held[at : at + wanted])
            at, wanted = at + wanted, header_bytes
        if at:
            del held[:at]
            marks.drop(at)
    if held:
        raise FormatError(f"The last frame is cut off after {len(held)} bytes", marks.offset(0))


def sample_frames(
    source: Source,
    samples: Iterable[tuple[int, int]],
    header_bytes: int,
    size_of: Callable[[bytes], int],
) -> Iterator[tuple[int, bytes]]:
    """Yield the frames of samples that hold whole frames each; raises FormatError as frames do."""
    for offset, size in samples:
        yield from frames([(offset, source.read(offset, size))], header_bytes, size_of)


def _size(head: bytes, size_of: Callable[[bytes], int], marks: _Marks, at: int) -> int:
    try:
        size = size_of(head)
    except FormatError as error:
        raise FormatError(error.detail, marks.offset(at)) from error
    if not len(head) < size <= MAX_FRAME_BYTES:
        raise FormatError(f"A frame cannot have {size} bytes", marks.offset(at))
    return size


class _Marks:
    """Where in the file the held bytes come from."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()

    def add(self, offset: int, index: int) -> None:
        """Note that the held bytes from ``index`` on come from ``offset`` on."""
        self._marks.append((index, offset))

    def offset(self, index: int) -> int:
        """Return where in the file a held byte is."""
        start, offset = next((mark for mark in reversed(self._marks) if mark[0] <= index), (0, 0))
        return offset + index - start

    def drop(self, count: int) -> None:
        """Forget the first ``count`` held bytes."""
        while len(self._marks) > 1 and self._marks[1][0] <= count:
            self._marks.popleft()
        self._marks = deque((index - count, offset) for index, offset in self._marks)

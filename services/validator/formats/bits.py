"""Reading bit fields, most significant bit first."""

from __future__ import annotations

from shared.adm.source import FormatError


class BitReader:
    """A cursor over bytes that counts in bits."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._end = 8 * len(data)
        self.position = position

    @property
    def left(self) -> int:
        """How many bits are still to come."""
        return self._end - self.position

    def read(self, width: int) -> int:
        """Return the next ``width`` bits as an unsigned number; raises FormatError at the end."""
        start, end = self.position, self.position + width
        if end > self._end:
            raise FormatError("The structure ends in the middle of a field", start // 8)
        self.position = end
        covering = int.from_bytes(self._data[start >> 3 : (end + 7) >> 3])
        return (covering >> (-end & 7)) & ((1 << width) - 1)

    def flag(self) -> bool:
        """Return the next bit; raises FormatError at the end."""
        at = self.position
        if at >= self._end:
            raise FormatError("The structure ends in the middle of a field", at // 8)
        self.position = at + 1
        return self._data[at >> 3] >> (~at & 7) & 1 == 1

    def skip(self, width: int) -> None:
        """Pass over ``width`` bits; raises FormatError at the end."""
        if width > self.left:
            raise FormatError("The structure ends in the middle of a field", self.position // 8)
        self.position += width

    def skip_if(self, width: int) -> None:
        """Read a flag, and pass over ``width`` bits when it is set."""
        if self.flag():
            self.skip(width)

    def align(self) -> None:
        """Go on to the next whole byte."""
        self.position = (self.position + 7) & ~7

    def read_bytes(self, count: int) -> bytes:
        """Return the next ``count`` bytes, wherever they start; raises FormatError at the end."""
        if 8 * count > self.left:
            raise FormatError("The structure ends in the middle of its bytes", self.position // 8)
        return self.read(8 * count).to_bytes(count)

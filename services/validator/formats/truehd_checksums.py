"""The checksums of TrueHD: remainders of polynomials over two elements, for long numbers at once.

Squaring keeps such a polynomial as sparse as it is, so that modulo its 2^k-th power a number loses
half its length in a few shifts: far faster in Python than a table of remainders byte by byte.
"""

from __future__ import annotations

# The lower terms of x^16 + x^5 + x^3 + x^2 + 1, of x^8 + x^6 + x^5 + x + 1, of
# x^8 + x^4 + x^3 + x^2 + 1 and of x^8 + 1, whose remainder is the exclusive or of all bytes.
_SYNC_TERMS = (5, 3, 2, 0)
_SUBSTREAM_TERMS = (6, 5, 1, 0)
_RESTART_TERMS = (4, 3, 2, 0)
_PARITY_TERMS = (0,)
_SUBSTREAM_START = b"\xa2"
# Every byte of a segment, its parity byte and the constant 0xA9 add up to nothing.
_PARITY_CONSTANT = _SUBSTREAM_START[0] ^ 0xA9
_NIBBLE = 0xF
CHECK_BYTES = 2
MAX_KEPT = 8
# Prime, and so no multiple of either checksum's period: an error in all segments does not cancel.
_BATCH = 61


def remainder(value: int, degree: int, terms: tuple[int, ...]) -> int:
    """Return the remainder of a polynomial, its coefficients being the bits of ``value``."""
    for power in range((value.bit_length() // degree).bit_length(), -1, -1):
        width = degree << power
        while high := value >> width:
            value ^= high << width
            for term in terms:
                value ^= high << (term << power)
    return value


def sync_ok(sync: bytes) -> bool:
    """Whether the CRC that ends a major sync holds."""
    value = int.from_bytes(sync[:-CHECK_BYTES]) ^ int.from_bytes(sync[-CHECK_BYTES:])
    return remainder(value, 16, _SYNC_TERMS) == 0


def substream_ok(data: bytes) -> bool:
    """Whether the parity and CRC bytes that end a substream's segment hold."""
    value = int.from_bytes(_SUBSTREAM_START + data[:-CHECK_BYTES])
    parity, crc = data[-CHECK_BYTES:]
    return not (
        remainder(value ^ crc, 8, _SUBSTREAM_TERMS)
        or remainder(value ^ parity ^ _PARITY_CONSTANT, 8, _PARITY_TERMS)
    )


def restart_ok(header: int) -> bool:
    """Whether the CRC in the last byte of a restart header, a number of all its bits, holds."""
    return remainder(header >> 8 ^ header & 0xFF, 8, _RESTART_TERMS) == 0


def nibble_ok(words: tuple[int, ...]) -> bool:
    """Whether the check nibble of an access unit's header and directory, in words, holds."""
    parity = 0
    for word in words:
        parity ^= word
    parity ^= parity >> 8
    return (parity >> 4 ^ parity) & _NIBBLE == _NIBBLE


class SubstreamChecks:
    """Checks the parity and CRC bytes that end substreams' segments, many at a time.

    ``failed`` are the first MAX_KEPT access units with a segment that is not as it was written.
    The check is linear: segments are added up, each shifted by one place more than the next, and
    only a sum that is wrong makes each of them be checked alone.
    """

    def __init__(self) -> None:
        self.failed: list[int] = []
        self._segments: list[tuple[int, bytes]] = []
        self._crc = self._parity = 0

    def add(self, unit: int, segment: bytes) -> None:
        """Take in one segment of the access unit of this number."""
        if len(self.failed) == MAX_KEPT:
            return
        value = int.from_bytes(_SUBSTREAM_START + segment[:-CHECK_BYTES])
        self._crc = self._crc << 1 ^ value ^ segment[-1]
        self._parity = self._parity << 1 ^ value ^ segment[-2] ^ _PARITY_CONSTANT
        self._segments.append((unit, segment))
        if len(self._segments) == _BATCH:
            self.finish()

    def finish(self) -> None:
        """Check what was added since the last time."""
        crc = remainder(self._crc, 8, _SUBSTREAM_TERMS)
        if crc or remainder(self._parity, 8, _PARITY_TERMS):
            wrong = [unit for unit, segment in self._segments if not substream_ok(segment)]
            self.failed = list(dict.fromkeys(self.failed + wrong))[:MAX_KEPT]
        self._segments.clear()
        self._crc = self._parity = 0

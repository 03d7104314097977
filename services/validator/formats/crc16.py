"""The CRC of AC-3, E-AC-3 and AC-4 frames: x^16 + x^15 + x^2 + 1 (ETSI TS 102 366 §6.1.7).

The polynomial is (x + 1)(x^15 + x + 1). What remains modulo the second factor is found by folding
the whole frame as one number: squaring keeps a polynomial over two elements as sparse as it is, so
modulo (x^15 + x + 1)^(2^k) a long number loses half its length in two shifts. That is far faster
in Python than a table of remainders. The first factor only asks for the parity.
"""

from __future__ import annotations

_DEGREE = 15
_FACTOR = 0x8003


def crc16(data: bytes) -> int:
    """Return the remainder over bytes, from 0; over a frame with its own CRC it is 0."""
    value = int.from_bytes(data) << 16
    remainder = _fold(value)
    odd = (remainder.bit_count() ^ value.bit_count()) & 1
    return remainder ^ _FACTOR if odd else remainder


def _fold(value: int) -> int:
    """Return the remainder modulo x^15 + x + 1."""
    for power in range((value.bit_length() // _DEGREE).bit_length(), -1, -1):
        width, step = _DEGREE << power, 1 << power
        while high := value >> width:
            value = (value ^ high << width) ^ (high << step) ^ high
    return value

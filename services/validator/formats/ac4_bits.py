"""The number codes that AC-4 shares among its structures (ETSI TS 103 190-1 §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from services.validator.formats.bits import BitReader

MAX_COUNT = 511
_MAX_VALUE = 1 << 32


def variable_bits(bits: BitReader, width: int) -> int:
    """Read a number in groups of ``width`` bits; raises FormatError beyond any real value."""
    value = bits.read(width)
    while bits.flag():
        value = ((value + 1) << width) + bits.read(width)
        if value > _MAX_VALUE:
            raise FormatError("A number of variable length does not end", bits.position // 8)
    return value


def escaped(bits: BitReader, width: int, step: int) -> int:
    """Read ``width`` bits, whose highest value says that variable bits are to be added."""
    value = bits.read(width)
    return value + variable_bits(bits, step) if value == (1 << width) - 1 else value


def counted(bits: BitReader) -> int:
    """Read a count of two bits, in which 0 means four and more."""
    return bits.read(2) or 4 + variable_bits(bits, 2)


def bounded(bits: BitReader, count: int) -> int:
    """Return a count; raises FormatError when no real frame has so many of anything."""
    if count > MAX_COUNT:
        raise FormatError(f"{count} parts are more than any real frame has", bits.position // 8)
    return count


def unary(bits: BitReader) -> int:
    """Count the ones before the next zero."""
    value = 0
    while bits.flag():
        value += 1
    return value


def substream_index(bits: BitReader) -> int:
    """Read which substream is meant."""
    return escaped(bits, 2, 2)

"""The dec3 box: what an MP4 file says about its E-AC-3 track (ETSI TS 102 366 Annex F)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader


@dataclass(frozen=True, slots=True)
class Dec3:
    """The box: kilobits per second, substreams, and the Atmos extension when it is there."""

    data_rate: int
    independent_substreams: int
    dependent_substreams: int
    complexity: int | None = None


def parse_dec3(payload: bytes) -> Dec3:
    """Read the box; ``complexity`` is None without the type A extension (TS 103 420).

    Raises FormatError when it is cut off.
    """
    bits = BitReader(payload)
    data_rate, independent = bits.read(13), bits.read(3) + 1
    dependent = sum(_dependent_substreams(bits) for _ in range(independent))
    complexity = None
    if bits.left >= 16:  # noqa: PLR2004 - the extension's two bytes
        bits.skip(7)
        complexity = bits.read(8) if bits.flag() else None
    return Dec3(data_rate, independent, dependent, complexity)


def _dependent_substreams(bits: BitReader) -> int:
    bits.skip(19)
    count = bits.read(4)
    bits.skip(9 if count else 1)
    return count

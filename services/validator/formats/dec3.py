"""The dec3 box: what an MP4 file says about its E-AC-3 track (ETSI TS 102 366 Annex F)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader

_RATES = (48_000, 44_100, 32_000, 0)


@dataclass(frozen=True, slots=True)
class Substream:
    """One independent substream: hertz (0: a reduced rate), coding mode, LFE, its dependents."""

    sample_rate: int
    acmod: int
    lfe: bool
    dependents: int


@dataclass(frozen=True, slots=True)
class Dec3:
    """The box: kilobits per second, substreams, and the Atmos extension when it is there."""

    data_rate: int
    substreams: tuple[Substream, ...]
    complexity: int | None = None


def parse_dec3(payload: bytes) -> Dec3:
    """Read the box; ``complexity`` is None without the type A extension (TS 103 420).

    Raises FormatError when it is cut off.
    """
    bits = BitReader(payload)
    data_rate, independent = bits.read(13), bits.read(3) + 1
    substreams = tuple(_substream(bits) for _ in range(independent))
    complexity = None
    if bits.left >= 16:  # noqa: PLR2004 - the extension's two bytes
        bits.skip(7)
        complexity = bits.read(8) if bits.flag() else None
    return Dec3(data_rate, substreams, complexity)


def _substream(bits: BitReader) -> Substream:
    rate = _RATES[bits.read(2)]
    bits.skip(5 + 1 + 1 + 3)
    acmod, lfe = bits.read(3), bits.flag()
    bits.skip(3)
    dependents = bits.read(4)
    bits.skip(9 if dependents else 1)
    return Substream(rate, acmod, lfe, dependents)

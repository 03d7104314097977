"""The dmlp box: what an MP4 file says about its TrueHD track (Dolby TrueHD in ISO base media)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader


@dataclass(frozen=True, slots=True)
class Dmlp:
    """The box: two fields as they are in the major sync."""

    format_info: int
    peak_data_rate: int


def parse_dmlp(payload: bytes) -> Dmlp:
    """Read the box; raises FormatError when it is cut off."""
    bits = BitReader(payload)
    box = Dmlp(bits.read(32), bits.read(15))
    bits.skip(1 + 32)
    return box

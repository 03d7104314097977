"""E-AC-3 syncframes (ETSI TS 102 366 Annex E)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader
from services.validator.formats.crc16 import crc16
from shared.adm.source import FormatError

SYNC = b"\x0b\x77"
INDEPENDENT, DEPENDENT, CONVERTED = 0, 1, 2
HEADER_BYTES = 6
_RATES = (48_000, 44_100, 32_000)
_REDUCED_RATE = 3
_BLOCKS = (1, 2, 3, 6)
_FULL_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
_EAC3_BSIDS = range(11, 17)
_MAX_SUBSTREAM_TYPE = 2


@dataclass(frozen=True, slots=True)
class Syncframe:
    """One frame's head; ``size`` in bytes, ``sample_rate`` in hertz, ``addbsi`` as it stands."""

    kind: int
    substream: int
    size: int
    sample_rate: int
    blocks: int
    acmod: int
    lfe: bool
    addbsi: bytes | None = None
    addbsi_bit: int = 0

    @property
    def channels(self) -> int:
        """Coded channels, LFE included."""
        return _FULL_CHANNELS[self.acmod] + self.lfe

    @property
    def complexity(self) -> int | None:
        """The Atmos complexity index, None when it is not signalled (ETSI TS 103 420 §8.3)."""
        if self.addbsi is None or len(self.addbsi) < 2 or not self.addbsi[0] & 1:  # noqa: PLR2004
            return None
        return self.addbsi[1]

    @property
    def parameters(self) -> tuple[int, int, int, bool]:
        """What may not change inside one stream."""
        return (self.sample_rate, self.blocks, self.acmod, self.lfe)


def frame_size(header: bytes) -> int:
    """Return a frame's size from its first bytes; raises FormatError when it is no E-AC-3 frame."""
    if len(header) < HEADER_BYTES or header[:2] != SYNC:
        raise FormatError("No sync word")
    if header[5] >> 3 not in _EAC3_BSIDS:
        raise FormatError(f"bsid {header[5] >> 3} is not E-AC-3")
    return 2 * ((int.from_bytes(header[2:4]) & 0x7FF) + 1)


def crc_ok(frame: bytes) -> bool:
    """Whether the frame's crc2 holds."""
    return crc16(frame[2:]) == 0


def parse_frame(frame: bytes) -> Syncframe:
    """Read the bit stream information up to addbsi; raises FormatError when it is cut off."""
    size = frame_size(frame)
    bits = BitReader(frame, 16)
    kind, substream = bits.read(2), bits.read(3)
    if kind > _MAX_SUBSTREAM_TYPE:
        raise FormatError("Substream type 3 is reserved")
    bits.skip(11)
    rate_code, blocks_code = bits.read(2), bits.read(2)
    rate, blocks_code = _rate(rate_code, blocks_code)
    acmod, lfe = bits.read(3), bits.flag()
    bits.skip(5)
    _skip_levels(bits, acmod)
    if kind == DEPENDENT:
        bits.skip_if(16)
    if bits.flag():
        _skip_mixing(bits, kind, acmod, blocks_code, lfe=lfe)
    if bits.flag():
        _skip_information(bits, acmod, reduced=rate_code == _REDUCED_RATE)
    _skip_conversion(bits, kind, blocks_code)
    addbsi_bit = bits.position
    addbsi = bits.read_bytes(bits.read(6) + 1) if bits.flag() else None
    return Syncframe(
        kind, substream, size, rate, _BLOCKS[blocks_code], acmod, lfe, addbsi, addbsi_bit
    )


def _rate(rate_code: int, blocks_code: int) -> tuple[int, int]:
    if rate_code != _REDUCED_RATE:
        return _RATES[rate_code], blocks_code
    if blocks_code == _REDUCED_RATE:
        raise FormatError("Reserved sample rate")
    return _RATES[blocks_code] // 2, 3


def _skip_levels(bits: BitReader, acmod: int) -> None:
    for _ in range(2 if acmod == 0 else 1):
        bits.skip(5)
        bits.skip_if(8)


def _skip_mixing(bits: BitReader, kind: int, acmod: int, blocks_code: int, *, lfe: bool) -> None:
    """Pass over mixmdata (§E.1.2.2)."""
    has_centre, has_surround = bool(acmod & 1) and acmod > 2, bool(acmod & 4)  # noqa: PLR2004
    bits.skip(2 * (acmod > 2) + 6 * has_centre + 6 * has_surround)  # noqa: PLR2004
    if lfe:
        bits.skip_if(5)
    if kind != INDEPENDENT:
        return
    for _ in range(3 if acmod == 0 else 2):
        bits.skip_if(6)
    _skip_mix_definition(bits)
    if acmod < 2:  # noqa: PLR2004 - mono and dual mono can be panned
        for _ in range(2 if acmod == 0 else 1):
            bits.skip_if(14)
    if bits.flag():
        if blocks_code == 0:
            bits.skip(5)
        else:
            for _ in range(_BLOCKS[blocks_code]):
                bits.skip_if(5)


def _skip_mix_definition(bits: BitReader) -> None:
    definition = bits.read(2)
    if definition == 3:  # noqa: PLR2004 - the only form with a length of its own
        bits.skip(8 * (bits.read(5) + 2))
    else:
        bits.skip((0, 5, 12)[definition])


def _skip_information(bits: BitReader, acmod: int, *, reduced: bool) -> None:
    """Pass over infomdata (§E.1.2.2)."""
    bits.skip(5)
    if acmod == 2:  # noqa: PLR2004 - stereo
        bits.skip(4)
    elif acmod >= 6:  # noqa: PLR2004 - two surrounds
        bits.skip(2)
    for _ in range(2 if acmod == 0 else 1):
        bits.skip_if(8)
    if not reduced:
        bits.skip(1)


def _skip_conversion(bits: BitReader, kind: int, blocks_code: int) -> None:
    six_blocks = blocks_code == 3  # noqa: PLR2004
    if kind == INDEPENDENT and not six_blocks:
        bits.skip(1)
    if kind == CONVERTED and (six_blocks or bits.flag()):
        bits.skip(6)

"""The major sync: what a TrueHD stream is (Dolby TrueHD high-level bitstream description)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader
from services.validator.formats.truehd_checksums import CHECK_BYTES, sync_ok
from shared.adm.source import FormatError

SYNC = b"\xf8\x72\x6f\xba"
_SIGNATURE = b"\xb7\x52"
_LEAST_BYTES = 28
_CHANNEL_MEANING_BITS = 8 * 18
_CHANNEL_MEANING_SIZE = 64
_EXTRA_BYTE = 25
_RATES = {0: 48_000, 1: 96_000, 2: 192_000, 8: 44_100, 9: 88_200, 10: 176_400}
_SAMPLES_PER_UNIT = 40
_SUBSTREAMS = range(1, 5)
_SIXTEEN_CHANNELS = 0x80
_BED, _SPATIAL_FORMAT, _DYNAMIC = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Objects:
    """The 16-channel presentation: its channels, and how many of them are dynamic objects."""

    channels: int
    dynamic: int


@dataclass(frozen=True, slots=True)
class MajorSync:
    """What a major sync says; ``size`` is its own in bytes, ``peak_data_rate`` its coded field.

    ``objects`` is None when the 16-channel presentation, if there is one, is not described.
    """

    size: int
    format_info: int
    flags: int
    peak_data_rate: int
    substreams: int
    extended_info: int
    substream_info: int
    objects: Objects | None
    crc_ok: bool

    @property
    def has_objects(self) -> bool:
        """Whether there is a 16-channel presentation: Dolby Atmos."""
        return bool(self.substream_info & _SIXTEEN_CHANNELS)

    @property
    def sample_rate(self) -> int:
        """In hertz."""
        return _RATES[self.format_info >> 28]

    @property
    def samples_per_unit(self) -> int:
        """How many samples of each channel an access unit holds."""
        return _SAMPLES_PER_UNIT << (self.format_info >> 28 & 7)

    @property
    def parameters(self) -> tuple[object, ...]:
        """What must not change from one major sync to the next."""
        shape = (self.substreams, self.extended_info, self.substream_info, self.objects)
        return (self.format_info, self.flags, *shape)


def parse_major_sync(data: bytes) -> MajorSync:
    """Read a major sync at the start of ``data``; raises FormatError when it is none."""
    size = _size(data)
    info, substreams = int.from_bytes(data[4:8]), data[16] >> 4
    if data[8:10] != _SIGNATURE:
        raise FormatError(f"A major sync has the signature {data[8:10].hex()}")
    if info >> 28 not in _RATES:
        raise FormatError(f"A major sync has the unknown rate code {info >> 28}")
    if substreams not in _SUBSTREAMS:
        raise FormatError(f"A major sync announces {substreams} substreams")
    objects = _objects(data, size) if data[17] & _SIXTEEN_CHANNELS else None
    return MajorSync(
        size=size,
        format_info=info,
        flags=int.from_bytes(data[10:12]),
        peak_data_rate=int.from_bytes(data[14:16]) & 0x7FFF,
        substreams=substreams,
        extended_info=data[16] & 3,
        substream_info=data[17],
        objects=objects,
        crc_ok=sync_ok(data[:size]),
    )


def _size(data: bytes) -> int:
    """Return the bytes of a major sync, which depend on the extra channel meaning."""
    size = _LEAST_BYTES
    if len(data) >= size and data[_EXTRA_BYTE] & 1:
        size += 2 * (1 + (data[_EXTRA_BYTE + 1] >> 4))
    if len(data) < size:
        raise FormatError(f"A major sync of {size} bytes has only {len(data)}")
    return size


def _objects(data: bytes, size: int) -> Objects | None:
    """Read ``16ch_channel_meaning``, which is in the extra channel meaning."""
    if size == _LEAST_BYTES:
        return None
    bits = BitReader(data[: size - CHECK_BYTES], _CHANNEL_MEANING_BITS + _CHANNEL_MEANING_SIZE)
    bits.skip(4 + 5 + 6)
    channels = 1 + bits.read(5)
    if bits.flag():
        return Objects(channels, channels - int(bits.flag()))
    content = bits.read(4)
    if content & _BED:
        bits.skip(2)
        bits.skip(0 if bits.flag() else 11)
    if content & _SPATIAL_FORMAT:
        bits.skip(3)
    return Objects(channels, 1 + bits.read(5) if content & _DYNAMIC else 0)

"""TrueHD streams: a small encoder of uncompressed blocks, in up to four substreams.

FFmpeg decodes what it makes, checksums on, but for the 16-channel substream that it leaves alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from tests.support.media import mp4
from tests.support.media.bits import Bits
from tests.support.media.mp4 import box

SAMPLES = 40
_TONE_BITS = 12
# Restart sync word, first and last channel of each substream.
_SUBSTREAMS = ((0x31EA, 0, 1), (0x31EA, 2, 5), (0x31EB, 6, 7), (0x31EC, 8, 15))
_5_1, _7_1 = 0b01111, 0b1001111


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a stream is: 16 channels are ``dynamic`` objects beside a 7.1 bed, or 15 and an LFE."""

    units: int = 40
    sync_every: int = 16
    substreams: int = 4
    atmos: bool = True
    described: bool = True
    objects_only: bool = True
    dynamic: int = 8
    rate_code: int = 0
    peak_data_rate: int = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """The parts of an access unit, before it is put together."""

    sync: bytes
    segments: tuple[bytes, ...]
    timing: int

    def __bytes__(self) -> bytes:
        """Return the unit with its directory and check nibble."""
        directory, end = b"", 0
        for segment in self.segments:
            end += len(segment)
            directory += ((0 if self.sync else 0x4000) | 0x2000 | end // 2).to_bytes(2)
        body = self.sync + directory + b"".join(self.segments)
        head = (len(body) + 4) // 2 << 16 | self.timing & 0xFFFF
        return with_nibble(head.to_bytes(4) + body, directory)


def with_nibble(unit: bytes, directory: bytes) -> bytes:
    """Return a unit whose check nibble fits its header and directory."""
    cleared = bytes([unit[0] & 0x0F]) + unit[1:]
    parity = _parity(cleared[:4] + directory)
    nibble = (parity >> 4 ^ parity) & 0xF ^ 0xF
    return bytes([cleared[0] | nibble << 4]) + cleared[1:]


def sync(spec: Spec) -> bytes:
    """Return the major sync that describes a stream."""
    rate = Bits().put(4, spec.rate_code).put(4, 0).put(2, 0).put(2, 0).put(5, _5_1).put(2, 0)
    info = 0b11111100 if spec.atmos else 0b01111100
    body = b"\xf8\x72\x6f\xba" + bytes(rate.put(13, _7_1)) + b"\xb7\x52" + bytes(4)
    body += (0x8000 | spec.peak_data_rate).to_bytes(2) + bytes([spec.substreams << 4, info])
    return with_sync_crc(body + _channel_meaning(spec))


def _channel_meaning(spec: Spec) -> bytes:
    extra = spec.atmos and spec.described
    meaning = Bits().put(63, 0).put(1, int(extra))
    if extra:
        words = 2 if spec.objects_only else 3
        meaning.put(4, words - 1).put(5, 0).put(6, 0).put(5, 15)
        if spec.objects_only:
            meaning.put(1, 1).put(1, 1)
        else:
            meaning.put(1, 0).put(4, 0b101).put(3, 0).put(1, 1).put(10, 0b1_1111)
            meaning.put(5, spec.dynamic - 1)
        meaning.bits = meaning.bits.ljust(64 + 16 * words, "0")
    return bytes(meaning)


def with_sync_crc(body: bytes) -> bytes:
    """Return a major sync with its CRC; the last word of ``body`` is added, not divided."""
    crc = _crc(body[:-2], 16, 0x002D) ^ int.from_bytes(body[-2:])
    return body + crc.to_bytes(2)


def _crc(data: bytes, degree: int, polynomial: int, start: int = 0) -> int:
    value = start
    for byte in data:
        value ^= byte << degree - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> degree - 1 else 0)
            value &= (1 << degree) - 1
    return value


def _parity(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value


def checked(data: bytes) -> bytes:
    """Return a segment with its parity and CRC bytes."""
    crc = _crc(data[:-1], 8, 0x63, 0x3C) ^ data[-1]
    return data + bytes([_parity(data) ^ 0xA9, crc])


def _tone(index: int) -> int:
    return round(1000 * math.sin(2 * math.pi * 440 * index / 48_000))


def _lossless_check(first: int, end: int) -> int:
    """Fold the samples of the units between two restarts, as a decoder puts them out."""
    value = 0
    for index in range(first * SAMPLES, end * SAMPLES):
        for channel in (0, 1):
            value ^= (_tone(index) & 0xFFFFFF) << channel
    value ^= value >> 16
    return (value >> 8 ^ value) & 0xFF


def _segment(spec: Spec, number: int, unit: int) -> bytes:
    word, first, last = _SUBSTREAMS[number]
    bits = Bits()
    if unit % spec.sync_every == 0:
        check = _lossless_check(max(unit - spec.sync_every, 0), unit)
        bits.put(2, 0b11)
        bits.bits += restart_header(word, first, last, check, unit * SAMPLES).bits
        bits.put(1, 0).put(1, 1).put(9, SAMPLES).put(3, 0)
        for channel in range(first, last + 1):
            bits.put(1, 1).put(3, 0).put(2, 0).put(5, _TONE_BITS if channel < 2 else 0)
    else:
        bits.put(1, 0)
    for index in range(unit * SAMPLES, (unit + 1) * SAMPLES):
        if number == 0:
            bits.put(_TONE_BITS, _tone(index) + 2048).put(_TONE_BITS, _tone(index) + 2048)
    bits.put(1, 1)
    bits.bits += "0" * (-len(bits.bits) % 16)
    return checked(bytes(bits))


def restart_header(word: int, first: int, last: int, check: int, timing: int) -> Bits:
    """Return a restart header with its CRC."""
    bits = Bits().put(14, word).put(16, timing & 0xFFFF).put(4, first).put(4, last).put(4, last)
    bits.put(4, 0).put(23, 0).put(19, 0).put(1, 0).put(8, check).put(16, 0)
    for channel in range(last + 1):
        bits.put(6, channel)
    value = int(bits.bits, 2)
    return bits.put(8, _remainder(value, 0x11D))


def _remainder(value: int, polynomial: int) -> int:
    while value.bit_length() > 8:
        value ^= polynomial << value.bit_length() - 9
    return value


@cache
def units(spec: Spec | None = None) -> tuple[Unit, ...]:
    """Return a stream's access units in their parts."""
    chosen = spec or Spec()
    return tuple(
        Unit(
            sync(chosen) if unit % chosen.sync_every == 0 else b"",
            tuple(_segment(chosen, number, unit) for number in range(chosen.substreams)),
            unit * SAMPLES,
        )
        for unit in range(chosen.units)
    )


def raw_file(spec: Spec | None = None) -> bytes:
    """Return a raw stream."""
    return b"".join(map(bytes, units(spec)))


def dmlp(spec: Spec | None = None) -> bytes:
    """Return the box that describes a stream."""
    chosen = spec or Spec()
    format_info = sync(chosen)[4:8]
    return box("dmlp", format_info, (chosen.peak_data_rate << 1).to_bytes(2), bytes(4))


def mp4_file(
    spec: Spec | None = None,
    config: bytes | None = None,
    frames: tuple[bytes, ...] | None = None,
) -> bytes:
    """Return an MP4 file whose dmlp box describes its units, unless something else is given."""
    samples = tuple(map(bytes, units(spec))) if frames is None else frames
    box_bytes = dmlp(spec) if config is None else config
    return mp4.plain(
        mp4.Track(frames=samples, codec="mlpa", config=box_bytes, samples_per_frame=SAMPLES)
    )

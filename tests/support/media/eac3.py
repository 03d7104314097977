"""E-AC-3 frames: encoded by FFmpeg, and made to carry Atmos metadata by hand.

No open encoder writes joint object coding. What the frames get here is what a validator reads: the
addbsi signalling, and an EMDF container with the heads of OAMD and JOC in the auxiliary data.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from services.validator.formats.eac3 import parse_frame
from tests.support.media import mp4
from tests.support.media.bits import Bits

SAMPLES_PER_FRAME = 1536
_POLYNOMIAL = 0x8005


@dataclass(frozen=True, slots=True, kw_only=True)
class Joc:
    """What a frame says of its objects; None leaves the statement out."""

    signalled: int | None = 16
    oamd_objects: int | None = 16
    joc_objects: int | None = 15
    fill: int = 0
    cut: bool = False


@cache
def plain_frames(count: int = 8, rate: int = 48_000, codec: str = "eac3") -> tuple[bytes, ...]:
    """Return 5.1 frames of silence, as FFmpeg encodes them."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = rate, "5.1", "fltp"
    context.bit_rate, context.time_base = 384_000, Fraction(1, rate)
    packets = []
    for index in range(count):
        frame = AudioFrame(format="fltp", layout="5.1", samples=SAMPLES_PER_FRAME)
        frame.sample_rate, frame.pts = rate, index * SAMPLES_PER_FRAME
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        packets += context.encode(frame)
    return tuple(bytes(packet) for packet in [*packets, *context.encode(None)])


def joc_frames(count: int = 8, joc: Joc | None = None) -> tuple[bytes, ...]:
    """Return frames that signal and carry Atmos."""
    return tuple(with_joc(frame, joc or Joc()) for frame in plain_frames(count))


def joc_mp4(frames: tuple[bytes, ...] | None = None, config: bytes | None = None) -> bytes:
    """Return an E-AC-3 JOC file; valid unless something else is given."""
    chosen = joc_frames() if frames is None else frames
    return mp4.plain(mp4.Track(frames=chosen, config=mp4.dec3() if config is None else config))


def dependent(frame: bytes) -> bytes:
    """Return a frame as the first dependent substream: its type, and chanmape that says nothing."""
    bits = Bits.of(frame).bits
    levels = 16 + 2 + 3 + 11 + 2 + 2 + 3 + 1 + 5 + 5
    levels += 1 + 8 * (bits[levels] == "1")
    body = bits[:16] + "01" + bits[18:levels] + "0" + bits[levels:-18]
    return seal(Bits(body + "0" * (-(len(body) + 18) % 16) + "00" + "0" * 16))


def with_joc(frame: bytes, joc: Joc) -> bytes:
    """Return a frame with addbsi set and an EMDF container in its auxiliary data."""
    bits = Bits.of(frame).bits
    at = parse_frame(frame).addbsi_bit
    audio = bits[at + 1 : -18]
    addbsi = "0" if joc.signalled is None else f"1{1:06b}{1:08b}{joc.signalled:08b}"
    # The container is laid off the byte grid on purpose, as in real streams.
    auxiliary = f"{joc.fill:03b}" + emdf(joc)
    body = bits[:at] + addbsi + audio
    tail_bits = len(auxiliary) + 14 + 2 + 16
    body += "0" * (-(len(body) + tail_bits) % 16)
    body += f"{auxiliary}{len(auxiliary):014b}10"
    return seal(Bits(body + "0" * 16))


def seal(bits: Bits) -> bytes:
    """Return a frame with its own length and checksum put right."""
    frame = bytearray(bytes(bits))
    words = len(frame) // 2 - 1
    frame[2] = (frame[2] & 0xF8) | words >> 8
    frame[3] = words & 0xFF
    frame[-2:] = remainder(bytes(frame[2:-2])).to_bytes(2)
    return bytes(frame)


def remainder(data: bytes) -> int:
    """Return the checksum bit by bit: slow, plain, and not the reader's own way."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x8000 else 0)
            value &= 0xFFFF
    return value


def emdf(joc: Joc) -> str:
    """Return an EMDF container, as bits, with the payloads that are wanted."""
    content = Bits().put(2, 0).put(3, 0)
    if joc.oamd_objects is not None:
        _payload(content, 11, oamd(joc.oamd_objects))
    if joc.joc_objects is not None:
        head = bytes(Bits().put(3, 0).put(6, joc.joc_objects - 1).put(3, 0))
        _payload(content, 14, head[:1] if joc.cut else head)
    _payload(content, 2, b"\x00\x01")
    content.put(5, 0).put(2, 1).put(2, 0).put(8, 0)
    data = bytes(content)
    return Bits().put(16, 0x5838).put(16, len(data)).put_bytes(data).bits


def _payload(content: Bits, kind: int, data: bytes) -> None:
    content.put(5, kind).put(4, 0).put(1, 1).put(8, len(data)).put(1, 0).put_bytes(data)


def oamd(objects: int) -> bytes:
    """Return the head of object audio metadata: a 5.1 bed, the rest dynamic objects."""
    head = Bits().put(2, 0).put(5, min(objects - 1, 31))
    if objects > 31:
        head.put(7, objects - 32)
    head.put(1, 0).put(4, 0b0101)
    return bytes(head.put(1, 1).put(1, 0).put(1, 0).put(1, 1).put(10, 0x00F).put(5, objects - 7))

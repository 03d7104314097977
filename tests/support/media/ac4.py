"""AC-4 frames and dac4 boxes: real tables of contents around empty sound (ETSI TS 103 190-2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tests.support.media import mp4
from tests.support.media.bits import Bits
from tests.support.media.mp4 import box

_AUDIO_BYTES = 120
_COUNT = 12
_I_FRAME_EVERY = 10
_CRC_POLYNOMIAL = 0x8005
# channel_mode, as a string of bits.
_MODES = {"stereo": "10", "7.1.4": "11111101", "from atmos": "1111001", "not atmos": "1111000"}


class Coding(StrEnum):
    """What a generated presentation is made of."""

    A_JOC = "a-joc"
    OBJECTS = "objects"
    STEREO = "stereo"
    HEIGHTS = "7.1.4"
    FROM_ATMOS = "from atmos"
    NOT_ATMOS = "not atmos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame with one presentation; ``indicator`` is the Atmos bit, None leaves it out."""

    coding: Coding = Coding.A_JOC
    indicator: bool | None = True
    counter: int = 1
    i_frame: bool = True
    is_48_khz: bool = True
    frame_rate_index: int = 13
    level: int = 4
    alternative: bool = False
    bitstream_version: int = 2

    @property
    def version(self) -> int:
        """The presentation's version: 2 is immersive stereo."""
        return 2 if self.coding in {Coding.FROM_ATMOS, Coding.NOT_ATMOS} else 1

    @property
    def of_objects(self) -> bool:
        """Whether the presentation renders objects."""
        return self.coding in {Coding.A_JOC, Coding.OBJECTS}


def raw_frame(frame: Frame) -> bytes:
    """Return a frame as an MP4 sample holds it."""
    own = bytes(_own_substream(frame))
    toc = Bits().put(2, frame.bitstream_version).put(10, frame.counter).put(1, 0)
    toc.put(1, int(frame.is_48_khz)).put(4, frame.frame_rate_index).put(1, int(frame.i_frame))
    toc.put(1, 1).put(1, 0)
    if frame.bitstream_version > 1:
        _put_presentation(toc.put(1, 0), frame)
        _put_group(toc, frame)
    toc.put(2, 2).put(1, 0).put(10, len(own)).put(1, 0).put(10, _AUDIO_BYTES).align()
    return bytes(toc) + own + bytes(_AUDIO_BYTES)


def _put_presentation(toc: Bits, frame: Frame) -> None:
    toc.put(1, 1).put(frame.version + 1, (1 << frame.version + 1) - 2)
    toc.put(3, frame.level).put(1, 0)
    toc.put(2, 0).put(3, 0).put(1, 0).put(2, 1).put(2, 0).put(8, 0)
    toc.put(1, 0).put(3, 0).put(1, 0).put(1, 0)
    toc.put(1, int(frame.alternative)).put(1, 1).put(2, 0)


def _put_group(toc: Bits, frame: Frame) -> None:
    toc.put(1, 1).put(1, 0).put(1, 1).put(1, int(not frame.of_objects))
    if frame.coding is Coding.A_JOC:
        # No OAMD substream; A-JOC with LFE, static downmix, 15 dynamic objects.
        toc.put(1, 0).put(1, 1).put(1, 1).put(1, 1).put(1, 0).put(4, 14).put(1, 1)
    elif frame.coding is Coding.OBJECTS:
        toc.put(1, 0).put(1, 0).put(3, 3).put(1, 1).put(1, 1)
    else:
        toc.bits += _MODES[frame.coding]
        if frame.coding is Coding.HEIGHTS:
            toc.put(4, 0b1111)
    if frame.is_48_khz:
        toc.put(1, 0)
    toc.put(1, 0).put(1, 1).put(2, 1).put(1, 0)


def _own_substream(frame: Frame) -> Bits:
    """Return the presentation's metadata: the Atmos bit, dialnorm and little else."""
    bits = Bits()
    if frame.alternative:
        bits.put(1, 1).put(1, 1).put(5, 3).put_bytes(b"Mix").put(2, 0)
        bits.put(7, 0).put(1, 0).put(1, 0).put(1, 0).put(1, 1).put(1, 0)
    bits.put(1, int(frame.indicator is not None))
    if frame.indicator is not None:
        bits.put(4, 0).align().put(1, int(frame.indicator)).put(7, 0)
    bits.put(7, 72).put(1, 0).put(5, 0)
    return bits.put(40, 0).align()


def synced(raw: bytes, *, crc: bool = True, long_size: bool = False) -> bytes:
    """Wrap a raw frame in the synchronisation layer."""
    size = b"\xff\xff" + len(raw).to_bytes(3) if long_size else len(raw).to_bytes(2)
    body = size + raw
    return b"\xac\x41" + body + _crc(body) if crc else b"\xac\x40" + body


def _crc(data: bytes) -> bytes:
    remainder = 0
    for byte in data:
        remainder ^= byte << 8
        for _ in range(8):
            remainder = remainder << 1 ^ (_CRC_POLYNOMIAL if remainder & 0x8000 else 0)
        remainder &= 0xFFFF
    return remainder.to_bytes(2)


def raw_frames(frame: Frame | None = None, count: int = _COUNT) -> tuple[bytes, ...]:
    """Return frames that follow each other, every tenth an I-frame."""
    start = frame or Frame()
    return tuple(
        raw_frame(replace(start, counter=start.counter + i, i_frame=i % _I_FRAME_EVERY == 0))
        for i in range(count)
    )


def raw_file(frames: tuple[bytes, ...] | None = None, *, crc: bool = True) -> bytes:
    """Return a raw stream of frames."""
    return b"".join(synced(each, crc=crc) for each in frames or raw_frames())


def mp4_file(frame: Frame | None = None, config: bytes | None = None) -> bytes:
    """Return an MP4 file whose dac4 box describes its frames, unless another is given."""
    start = frame or Frame()
    return mp4_of(raw_frames(start), dac4_of(start) if config is None else config)


def mp4_of(frames: tuple[bytes, ...], config: bytes) -> bytes:
    """Return an MP4 file of these frames."""
    return mp4.plain(mp4.Track(frames=frames, codec="ac-4", config=config, samples_per_frame=2048))


def dac4_of(frame: Frame) -> bytes:
    """Return the box that describes a frame."""
    body = Bits().put(5, 31).put(3, frame.level).put(1, 0).put(2, 0).put(2, 0).put(5, 0).put(10, 0)
    if frame.of_objects:
        body.put(1, 0)
    else:
        body.put(1, 1).put(5, 12 if frame.coding is Coding.HEIGHTS else 1)
        body.put(3 if frame.coding is Coding.HEIGHTS else 0, 0).put(24, 0x000047)
    # No core difference, no filter; one group of one substream.
    body.put(1, 0).put(1, 0)
    body.put(1, 1).put(1, 0).put(1, int(not frame.of_objects)).put(8, 1).put(2, 0).put(1, 0)
    _put_dac4_substream(body, frame)
    body.put(1, 0).put(1, 0).put(1, 0).put(1, 0).put(1, 0).align()
    presentation = bytes(body.put(1, 1).put(1, int(bool(frame.indicator))).put(6, 0))
    head = Bits().put(3, 1).put(7, frame.bitstream_version).put(1, int(frame.is_48_khz))
    head.put(4, frame.frame_rate_index).put(9, 1).put(int(frame.bitstream_version > 1), 0)
    head.put(2, 1).put(32, 0).put(32, 0xFFFFFFFF).align()
    size = bytes([frame.version, len(presentation)])
    return box("dac4", bytes(head), size, presentation)


def _put_dac4_substream(body: Bits, frame: Frame) -> None:
    if not frame.of_objects:
        body.put(24, 0x000047)
    elif frame.coding is Coding.A_JOC:
        body.put(1, 1).put(1, 1).put(6, 14).put(4, 0b0100)
    else:
        body.put(1, 0).put(4, 0b0100)


def dac4(*, a_joc: bool = True, indicator: bool = False) -> bytes:
    """Return the box of one presentation: of objects by A-JOC, or of plain channels."""
    coding = Coding.A_JOC if a_joc else Coding.STEREO
    return dac4_of(Frame(coding=coding, indicator=indicator))

"""Stereo and mono masters, as WAV and as FLAC."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import av
import numpy as np

# STREAMINFO starts here; behind it comes what FFmpeg writes about itself.
STREAMINFO = 8
MD5 = STREAMINFO + 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What to make: ``bits`` are 16 or 24, ``rate`` in hertz; the signal is noise."""

    bits: int = 16
    rate: int = 44_100
    channels: int = 2
    frames: int = 22_050
    level: int = 3000

    @property
    def samples(self) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        """The samples as frames x channels, whole numbers of ``bits``."""
        random = np.random.default_rng(1)
        shape = (self.frames, self.channels)
        scale = 1 << self.bits - 16
        samples = random.integers(-self.level, self.level + 1, shape, np.int32)
        return (samples * scale).astype(np.int32)


CD = Sound()
HD = Sound(bits=24, rate=96_000)
MONO = Sound(bits=24, rate=48_000, channels=1)


def wave(sound: Sound, fmt: bytes | None = None, cut: int = 0) -> bytes:
    """Return a WAV file; ``fmt`` is another fmt chunk, ``cut`` bytes are missing from the audio."""
    width = sound.bits // 8
    data = sound.samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    data = data[: len(data) - cut]
    chunks = _chunk(b"fmt ", fmt or fmt_chunk(sound)) + _chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def fmt_chunk(sound: Sound, tag: int = 1, align: int | None = None) -> bytes:
    """Return the fmt chunk of a sound."""
    align = align or sound.channels * sound.bits // 8
    head = (tag, sound.channels, sound.rate, sound.rate * align, align, sound.bits)
    return struct.pack("<HHIIHH", *head)


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


@lru_cache
def flac(sound: Sound) -> bytes:
    """Return a FLAC file."""
    form: Literal["s16", "s32"] = "s16" if sound.bits == 16 else "s32"
    samples = sound.samples << (0 if form == "s16" else 8)
    layout = "stereo" if sound.channels == 2 else "mono"
    file = io.BytesIO()
    with av.open(file, "w", "flac") as container:
        stream = container.add_stream("flac", rate=sound.rate)
        stream.layout, stream.format = layout, form
        packed = samples.reshape(1, -1)
        narrow = form == "s16"
        frame = av.AudioFrame.from_ndarray(
            packed.astype(np.int16) if narrow else packed, format=form, layout=layout
        )
        frame.rate, frame.pts = sound.rate, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def audio_start(data: bytes) -> int:
    """Return where the first frame of a FLAC file starts."""
    at = 4
    while not data[at] & 0x80:
        at += 4 + int.from_bytes(data[at + 1 : at + 4])
    return at + 4 + int.from_bytes(data[at + 1 : at + 4])

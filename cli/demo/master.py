"""Writes a valid Dolby Atmos master: an ADM BWF with a bed, moving objects and a real signal."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cli.demo import metadata
from cli.demo.layout import channels

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from cli.demo.layout import Channel

_UNDECLARED = 0xFFFFFFFF
_DS64_BYTES = 28
# The signal repeats: all its frequencies are multiples of ten hertz.
_LOOPS_PER_SECOND = 10
_AMPLITUDE = 0.03 * (1 << 23)
_LOUD_TRACKS = 24
_LFE_HERTZ = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to make: ``form`` is RIFF, RF64 or BW64; ``beds`` are of layout.BEDS; ``rate`` in hertz.

    ``room`` is the length of the JUNK chunk that keeps room for 64-bit sizes, in bytes; ``early``
    names the chunks that come before the audio.
    """

    form: str = "RIFF"
    beds: tuple[str, ...] = ("7.1.2",)
    objects: int = 4
    seconds: float = 5.0
    rate: int = 48_000
    room: int = _DS64_BYTES
    early: tuple[str, ...] = ()

    @property
    def channels(self) -> list[Channel]:
        """The tracks, beds first."""
        return channels(self.objects, self.beds)

    @property
    def frames(self) -> int:
        """How many sample frames the audio has."""
        return round(self.seconds * self.rate)


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave file in parts: ``block`` is audio that is repeated up to ``data_size`` bytes.

    ``chunks`` come in their order, the ``early`` ones before the audio. ``room`` is kept for 64-bit
    sizes, in bytes. ``riff_size`` is what the header says when that is not the truth.
    """

    form: str
    fmt: bytes
    block: bytes
    data_size: int
    chunks: dict[str, bytes] = field(default_factory=dict)
    riff_size: int | None = None
    room: int = _DS64_BYTES
    early: tuple[str, ...] = ()

    def with_chunk(self, name: str, payload: bytes | None) -> Wave:
        """Return this file with a chunk changed, or left out for None."""
        chunks = {**self.chunks, name: payload or b""}
        if payload is None:
            del chunks[name]
        return replace(self, chunks=chunks)

    def write(self, path: Path) -> None:
        """Write the file; raises OSError as the system does."""
        with path.open("wb") as file:
            file.write(self._head())
            _write_repeated(file, self.block, self.data_size)
            file.write(bytes(self.data_size % 2))
            file.write(self._late())

    def _late(self) -> bytes:
        named = (item for item in self.chunks.items() if item[0] not in self.early)
        return b"".join(_chunk(name, payload) for name, payload in named)

    def _head(self) -> bytes:
        wide = self.form != "RIFF"
        padded = self.data_size + self.data_size % 2
        early = b"".join(_chunk(name, self.chunks[name]) for name in self.early)
        before = early + _chunk("fmt ", self.fmt)
        size = 4 + 8 + self.room + len(before) + 8 + padded + len(self._late())
        size = size if self.riff_size is None else self.riff_size
        sizes = struct.pack("<QQQI", size, self.data_size, 0, 0) if wide else b""
        return (
            struct.pack("<4sI4s", self.form.encode(), _UNDECLARED if wide else size, b"WAVE")
            + _chunk("ds64" if wide else "JUNK", sizes.ljust(self.room, b"\0"))
            + before
            + struct.pack("<4sI", b"data", _UNDECLARED if wide else self.data_size)
        )


def _chunk(name: str, payload: bytes) -> bytes:
    return struct.pack("<4sI", name.encode(), len(payload)) + payload + bytes(len(payload) % 2)


def _write_repeated(file: BinaryIO, block: bytes, size: int) -> None:
    whole, rest = divmod(size, len(block)) if block else (0, 0)
    file.writelines(block for _ in range(whole))
    file.write(block[:rest])


def master(spec: Spec | None = None) -> Wave:
    """Return a master in parts, so that a test can break each one."""
    spec = spec or Spec()
    tracks = spec.channels
    align = 3 * len(tracks)
    return Wave(
        form=spec.form,
        fmt=struct.pack("<HHIIHH", 1, len(tracks), spec.rate, spec.rate * align, align, 24),
        block=_signal(tracks, spec.rate),
        data_size=spec.frames * align,
        chunks={
            "axml": metadata.axml(tracks, frames=spec.frames, rate=spec.rate).encode(),
            "chna": metadata.chna(tracks),
            "dbmd": metadata.dbmd(tracks),
        },
        room=spec.room,
        early=spec.early,
    )


def write_master(path: Path, spec: Spec | None = None) -> None:
    """Write a valid master; raises OSError as the system does."""
    master(spec).write(path)


def _signal(tracks: list[Channel], rate: int) -> bytes:
    """Return one loop of interleaved 24-bit samples, each track with a tone of its own."""
    align = 3 * len(tracks)
    block = bytearray(rate // _LOOPS_PER_SECOND * align)
    amplitude = _AMPLITUDE * min(1, _LOUD_TRACKS / len(tracks))  # so that many do not clip
    basses = iter(range(_LFE_HERTZ, 200, 10))
    for index, track in enumerate(tracks):
        hertz = next(basses) if track.label == "RC_LFE" else 200 + 10 * index
        samples = _tone(hertz, amplitude, rate)
        for byte in range(3):
            block[3 * index + byte :: align] = samples[byte::3]
    return bytes(block)


def _tone(hertz: int, amplitude: float, rate: int) -> bytes:
    step = 2 * math.pi * hertz / rate
    return b"".join(
        round(amplitude * math.sin(step * frame)).to_bytes(3, "little", signed=True)
        for frame in range(rate // _LOOPS_PER_SECOND)
    )

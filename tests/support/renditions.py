"""Masters of any shape as wave files, and what is heard in a rendition of them."""

from __future__ import annotations

import hashlib
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt

from services.publisher.formats import FORMATS
from services.publisher.order import Order, Tags
from services.publisher.transcode import transcode
from tests.support.media.audio import packed

if TYPE_CHECKING:
    from pathlib import Path

    from av.audio.stream import AudioStream

    from services.publisher.order import Transcoded
    from tests.support.media.audio import Signal

FLOAT = 3
_PCM = 1
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
MASKS = {"5.1": 0x3F, "5.1(side)": 0x60F, "7.1": 0x63F, "quad": 0x33, "7.1.4": 0x2D63F}


def wave(
    signal: Signal,
    rate: int,
    depth: int = 24,
    *,
    layout: str = "",
    floating: bool = False,
    more: bytes = b"",
) -> bytes:
    """Return a wave file, extensible when ``layout`` names the channels; ``more`` are chunks."""
    channels = signal.shape[1]
    data = signal.astype("<f4").tobytes() if floating else packed(signal, depth)
    depth = 32 if floating else depth
    kind = FLOAT if floating else _PCM
    align = channels * depth // 8
    tag = 0xFFFE if layout else kind
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, depth)
    if layout:
        fmt += struct.pack("<HHIH", 22, depth, MASKS[layout], kind) + _GUID_TAIL
    body = b"WAVE" + chunk(b"fmt ", fmt) + more + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a RIFF chunk."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a player makes of a file; ``samples`` are frames x channels, 1.0 is full scale."""

    samples: npt.NDArray[np.float64]
    rate: int
    tags: dict[str, str]
    cover: bytes

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def strongest_hertz(self, channel: int) -> float:
        """Return where the spectrum of a channel is highest."""
        line = self.samples[:, channel]
        spectrum = np.abs(np.fft.rfft(line * np.hanning(len(line))))
        return float(np.argmax(spectrum)) * self.rate / len(line)

    def level_db(self, channel: int, hertz: float) -> float:
        """Return the peak level of a tone in the middle of a channel."""
        edge = len(self.samples) // 4
        line = self.samples[edge:-edge, channel]
        turns = np.exp(-2j * np.pi * hertz / self.rate * np.arange(len(line)))
        window = np.hanning(len(line))
        return float(20 * np.log10(2 * abs(np.sum(line * window * turns)) / window.sum()))


def heard(path: Path) -> Heard:
    """Decode a file as a player does."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        blocks = [_floats(stream, each.to_ndarray()) for each in container.decode(stream)]
        tags = {**container.metadata, **stream.metadata}
        rate = stream.codec_context.rate
    with av.open(str(path)) as container:
        pictures = container.demux(container.streams.video) if container.streams.video else ()
        cover = next((bytes(each) for each in pictures), b"")
    return Heard(
        samples=np.concatenate(blocks),
        rate=rate,
        tags={name.lower(): text for name, text in tags.items()},
        cover=cover,
    )


def _floats(stream: AudioStream, block: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    context = stream.codec_context
    frames = block.T if context.format.is_planar else block.reshape(-1, context.channels)
    scale = 1.0 if block.dtype.kind == "f" else 2.0 ** (8 * block.dtype.itemsize - 1)
    return frames.astype(np.float64) / scale


def publish(
    master: Path, *formats: str, tags: Tags | None = None, cover: bytes = b""
) -> tuple[Transcoded, dict[str, Path]]:
    """Transcode a master beside itself; return what came of it, and the file of each format."""
    order = Order(formats=formats, tags=tags or Tags(), cover=cover)
    paths = {name: master.with_name(f"out-{name}{FORMATS[name].suffix}") for name in formats}
    with ExitStack() as opened:
        files = [opened.enter_context(paths[name].open("w+b")) for name in formats]
        done = transcode(master, order, files, lambda *_: None)
    for each in done.renditions:
        stored = paths[each.format].read_bytes()
        assert (hashlib.md5(stored).hexdigest(), len(stored)) == (each.md5, each.size_bytes)
    return done, paths

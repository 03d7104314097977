"""Decodes FLAC by PyAV, frame by frame, and hashes what is heard.

PyAV and numpy are imported when they are needed: the structure path stays light.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer
    from av.audio.frame import AudioFrame

    from services.validator.formats.flac import StreamInfo
    from shared.adm.source import Source

# The depths whose samples FFmpeg gives whole: in all of 16 bits, in the upper 24 of 32.
HASHED_DEPTHS = (16, 24)
_WIDE = 24


@dataclass(slots=True)
class Heard:
    """What decoding gave: sample frames, packets that failed, and the MD5 of the samples.

    ``stopped`` is why reading ended early, empty when it did not.
    """

    frames: int = 0
    failed: int = 0
    md5: bytes = b""
    stopped: str = ""


class SourceFile(io.RawIOBase):
    """A source as a file object, for a library that wants one."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read at any place."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as the file goes; return how many bytes it got."""
        view = memoryview(buffer).cast("B")
        data = self._source.peek(self._at, len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset, from the start, from here or from the end."""
        base = {io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}.get(whence, 0)
        self._at = max(0, base + offset)
        return self._at


def decode_flac(
    source: Source, info: StreamInfo, on_progress: Callable[[int], None] = lambda _: None
) -> Heard:
    """Decode a whole file; ``on_progress`` is told the sample frames that are done."""
    import av
    from av.error import FFmpegError

    heard, digest = Heard(), hashlib.md5(usedforsecurity=False)
    try:
        with av.open(
            SourceFile(source), mode="r", format="flac", metadata_errors="replace"
        ) as container:
            stream = container.streams.audio[0]
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
            for packet in container.demux(stream):
                try:
                    frames = stream.codec_context.decode(packet)
                except FFmpegError as error:
                    # The end of the stream is told by an error of its own.
                    heard.failed += not isinstance(error, EOFError)
                    continue
                for frame in frames:
                    digest.update(_samples(frame, info))
                    heard.frames += frame.samples
                on_progress(heard.frames)
    except (FFmpegError, IndexError) as error:
        heard.stopped = getattr(error, "strerror", "") or type(error).__name__
    heard.md5 = digest.digest()
    return heard


def _samples(frame: AudioFrame, info: StreamInfo) -> bytes:
    """Return interleaved little-endian samples of as many bytes as the depth needs."""
    import numpy as np

    samples = frame.to_ndarray()
    if frame.format.is_planar:
        samples = samples.T
    data = np.ascontiguousarray(samples)
    if info.bit_depth != _WIDE:
        return data.tobytes()
    return data.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()

"""Motion art: one coded picture again and again, muxed by FFmpeg."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.stream import Stream

DESKTOP, MOBILE = (3840, 3840), (2048, 2732)
_FORMATS = {"prores_ks": "yuv422p10le"}
_FASTEST = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Art:
    """What to make; ``pixel`` is the pixel aspect ratio, ``late`` a picture that stands longer.

    ``container`` is mp4 or mov; ``options`` are the muxer's.
    """

    size: tuple[int, int] = DESKTOP
    codec: str = "libx264"
    rate: Fraction = Fraction(24)
    pictures: int = 360
    container: str = "mp4"
    pixel: Fraction = Fraction(1)
    late: int | None = None
    sound: bool = False
    options: tuple[tuple[str, str], ...] = ()


@lru_cache
def movie(art: Art) -> bytes:
    """Return a file."""
    file = io.BytesIO()
    with av.open(file, "w", art.container, options=dict(art.options)) as container:
        video = _video(container, art)
        sound = container.add_stream("aac", rate=48_000) if art.sound else None
        picture = _picture(video)
        for number in range(art.pictures):
            at = number + (art.late is not None and number > art.late)
            container.mux(_packet(video, picture, at))
        if sound is not None:
            container.mux([*sound.encode(_silence()), *sound.encode(None)])
    return file.getvalue()


def _video(container: OutputContainer, art: Art) -> VideoStream:
    options = _FASTEST.get(art.codec, {})
    stream = container.add_stream(art.codec, rate=art.rate, options=options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = art.size
    stream.pix_fmt = _FORMATS.get(art.codec, "yuv420p")
    stream.codec_context.sample_aspect_ratio = art.pixel
    stream.codec_context.time_base = stream.time_base = 1 / art.rate
    return stream


def _picture(stream: VideoStream) -> bytes:
    """Return one coded picture, all of one colour."""
    frame = av.VideoFrame(stream.width, stream.height, stream.pix_fmt or "")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts, frame.time_base = 0, stream.codec_context.time_base
    return bytes(next(iter((*stream.encode(frame), *stream.encode(None)))))


def _packet(stream: VideoStream, picture: bytes, at: int) -> av.Packet[Stream]:
    packet = av.Packet(picture)
    packet.stream, packet.time_base = stream, stream.codec_context.time_base
    packet.pts = packet.dts = at
    packet.duration, packet.is_keyframe = 1, True
    return packet


def _silence() -> av.AudioFrame:
    samples = np.zeros((2, 1024), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    frame.rate, frame.pts = 48_000, 0
    return frame

"""The child process of the sandbox: limits itself, decodes one picture, answers, ends."""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import msgspec
from av.error import FFmpegError

from services.api.pictures.messages import MAX_SIDE, Picture, Request, Unreadable
from shared.sandbox.child import apply_limits, run_child

if TYPE_CHECKING:
    from collections.abc import Callable

_MEDIA_TYPES: Final = {"mjpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_DEMUXERS: Final = {"format_whitelist": "jpeg_pipe,png_pipe,webp_pipe"}


def main() -> int:
    """Answer the request on standard input."""
    return run_child(Request, _read)


def _read(request: Request, tell: Callable[[bytes], None]) -> None:
    data = Path(request.path).read_bytes()
    apply_limits(request.limits)
    try:
        answer: Picture | Unreadable = read(data, request.thumbnail_side)
    except (FFmpegError, StopIteration, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "nothing in it"
        answer = Unreadable(detail=f"No JPEG, PNG or WebP: {reason}.")
    tell(msgspec.json.encode(answer))


def read(data: bytes, thumbnail_side: int) -> Picture:
    """Decode a picture. Raises FFmpegError, StopIteration, ValueError for what is none."""
    with av.open(io.BytesIO(data), "r", options=_DEMUXERS) as container:
        context = container.streams.video[0].codec_context
        # Before it is decoded: a small file may stand for a picture of gigabytes.
        if not 0 < max(context.width, context.height) <= MAX_SIDE:
            raise ValueError(f"a side may have {MAX_SIDE} pixels")
        frame = next(container.decode(video=0))
        return Picture(
            media_type=_MEDIA_TYPES[context.name],
            width=frame.width,
            height=frame.height,
            thumbnail=_thumbnail(frame, thumbnail_side),
        )


def _thumbnail(frame: av.VideoFrame, side: int) -> bytes:
    scale = Fraction(min(side, max(frame.width, frame.height)), max(frame.width, frame.height))
    width, height = (max(1, round(each * scale)) for each in (frame.width, frame.height))
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))


if __name__ == "__main__":
    sys.exit(main())

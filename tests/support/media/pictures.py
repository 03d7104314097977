"""Covers for tests, made by the same FFmpeg that reads them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext


def picture(codec: str, width: int = 60, height: int = 40) -> bytes:
    """Return a grey picture, ``png``, ``mjpeg`` or ``bmp``."""
    context = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
    context.width, context.height = width, height
    pixels = {"png": "rgb24", "mjpeg": "yuvj420p", "bmp": "bgr24"}[codec]
    context.pix_fmt = pixels
    context.time_base = Fraction(1, 1)
    grey = np.full((height, width, 3), 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixels)
    return b"".join(bytes(each) for end in (frame, None) for each in context.encode(end))

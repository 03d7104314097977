"""Pictures for tests."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

MEDIA_TYPES: Final = {"mjpeg": "image/jpeg", "png": "image/png", "libwebp": "image/webp"}
"""By FFmpeg's name of what makes them."""
_PIXELS: Final = {"mjpeg": "yuvj420p", "png": "rgb24", "libwebp": "yuv420p"}


def picture(codec: str = "mjpeg", width: int = 600, height: int = 600) -> bytes:
    """A picture with something in it."""
    x = np.linspace(0, 255, width, dtype=np.uint8)
    pixels = np.broadcast_to(x[None, :, None], (height, width, 3)).copy()
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=_PIXELS[codec])
    frame.pts = 0
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, _PIXELS[codec]
    encoder.time_base = Fraction(1, 1)
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))

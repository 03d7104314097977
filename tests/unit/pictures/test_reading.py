"""Pictures as they come, and what only looks like one."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from services.api.pictures.child import read
from services.api.pictures.reading import NoPicture, Pictures
from tests.support.pictures import MEDIA_TYPES, picture

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("codec", MEDIA_TYPES)
async def test_a_picture_is_read(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "cover"
    path.write_bytes(picture(codec, 640, 480))
    found = await Pictures().read(path, 300)
    assert (found.media_type, found.width, found.height) == (MEDIA_TYPES[codec], 640, 480)
    small = read(found.thumbnail, 300)
    assert (small.media_type, small.width, small.height) == ("image/jpeg", 300, 225)


async def test_a_small_picture_is_not_made_larger(tmp_path: Path) -> None:
    path = tmp_path / "cover"
    path.write_bytes(picture("png", 20, 10))
    small = read((await Pictures().read(path, 300)).thumbnail, 300)
    assert (small.width, small.height) == (20, 10)


def _bomb() -> bytes:
    """A PNG of 2,000 million pixels in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 45_000, 45_000, 8, 6, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _film() -> bytes:
    """A video, which FFmpeg could decode as well."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 320
        stream.time_base = Fraction(1, 1)
        frame = av.VideoFrame(320, 320, "yuv420p")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", picture("png", 64, 64)[:60], _bomb(), _film()],
    ids=["empty", "text", "cut", "bomb", "film"],
)
async def test_what_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cover"
    path.write_bytes(data)
    with pytest.raises(NoPicture):
        await Pictures().read(path, 300)

"""A cover: one JPEG or PNG picture, proven by decoding it, and the ways containers hold it."""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
from av.error import FFmpegError
from av.stream import Disposition

from services.publisher.errors import Code, TranscodeError

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

_DEMUXERS = "jpeg_pipe,png_pipe"
_MEDIA_TYPES: Final = {"mjpeg": "image/jpeg", "png": "image/png"}
_FRONT = 3
_BITS_PER_PIXEL = 24
_NAME = "Cover (front)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A picture as it came; ``codec`` is FFmpeg's name, the sides are pixels."""

    data: bytes
    codec: str
    width: int
    height: int

    @property
    def media_type(self) -> str:
        """What a client calls it."""
        return _MEDIA_TYPES[self.codec]

    def attach(self, container: OutputContainer) -> av.Packet[Stream]:
        """Add the picture's stream to a container; return the packet to be muxed first of all."""
        stream = container.add_mux_stream(self.codec, width=self.width, height=self.height)
        stream.disposition = Disposition.attached_pic
        stream.metadata["comment"] = _NAME
        packet = av.Packet(self.data)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = 0
        packet.is_keyframe = True
        return packet

    def picture_block(self) -> str:
        """Return it as the comment METADATA_BLOCK_PICTURE (RFC 9639 8.8, RFC 7845 5.2)."""
        kind, name = self.media_type.encode(), _NAME.encode()
        head = struct.pack(">II", _FRONT, len(kind)) + kind + struct.pack(">I", len(name)) + name
        sides = struct.pack(">4I", self.width, self.height, _BITS_PER_PIXEL, 0)
        return base64.b64encode(
            head + sides + struct.pack(">I", len(self.data)) + self.data
        ).decode()


def read_cover(data: bytes) -> Cover | None:
    """Decode a cover, None if there is none. Raises TranscodeError when it is no JPEG or PNG."""
    if not data:
        return None
    try:
        with _opened(data) as container:
            context = container.streams.video[0].codec_context
            picture = next(container.decode(video=0))
    except (FFmpegError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "nothing in it"
        raise TranscodeError(Code.COVER_UNREADABLE, f"No JPEG or PNG: {reason}.") from error
    return Cover(data=data, codec=context.name, width=picture.width, height=picture.height)


def _opened(data: bytes) -> InputContainer:
    return av.open(io.BytesIO(data), "r", options={"format_whitelist": _DEMUXERS})

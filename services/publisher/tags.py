"""Under which names tags stand in each container, and a whole ID3 tag for those that lack one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import av

if TYPE_CHECKING:
    from services.publisher.cover import Cover
    from services.publisher.order import Tags

# What FFmpeg knows under one name everywhere. RIFF's own ISRC is "source", and MP4 has no place.
_COMMON: Final = ("title", "artist", "album", "comment")
_ISRC_NAMES: Final = {"mp3": "TSRC", "flac": "ISRC", "ogg": "ISRC"}
_HEAD_BYTES = 10


def metadata(tags: Tags, container: str) -> dict[str, str]:
    """Return FFmpeg's metadata for a container; what is empty is left out."""
    named = {name: str(getattr(tags, name)) for name in _COMMON}
    if container in _ISRC_NAMES:
        named[_ISRC_NAMES[container]] = tags.isrc
    return {name: text for name, text in named.items() if text}


def id3(tags: Tags, cover: Cover | None) -> bytes:
    """Return an ID3v2.3 tag with the cover as its picture."""
    written = io.BytesIO()
    options = {"id3v2_version": "3", "write_xing": "0"}
    with av.open(written, "w", format="mp3", container_options=options) as container:
        container.metadata.update(metadata(tags, "mp3"))
        # The muxer wants a stream of sound; it gets no packet.
        container.add_mux_stream("mp3", rate=48_000)
        if cover is not None:
            packet = cover.attach(container)
            container.start_encoding()
            container.mux(packet)
        else:
            container.start_encoding()
    data = written.getvalue()
    return data[: _HEAD_BYTES + _syncsafe(data[6:_HEAD_BYTES])]


def _syncsafe(data: bytes) -> int:
    """Return the size that four bytes of seven bits say (ID3v2.3, 3.1)."""
    size = 0
    for byte in data:
        size = size << 7 | byte
    return size

"""One rendition: encoded, tagged and measured in bytes while the master passes."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO, cast

import av

from services.publisher.appending import FileTooLarge, append_id3, append_isrc
from services.publisher.errors import Code, TranscodeError
from services.publisher.mixing import Outlet
from services.publisher.order import Rendition
from services.publisher.tags import id3, metadata

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

    from services.publisher.cover import Cover
    from services.publisher.formats import Format
    from services.publisher.master import Master
    from services.publisher.order import Tags

_BLOCK_BYTES = 1 << 20
# Their own tags hold neither a picture nor an ISRC, of AIFF no album.
_WITH_ID3_APPENDED = {"wav", "aiff"}


class Encoding:
    """Writes one format into a file that is open for reading and writing, from its start."""

    def __init__(
        self, form: Format, file: BinaryIO, master: Master, tags: Tags, cover: Cover | None
    ) -> None:
        self._form, self._file, self._tags, self._cover = form, file, tags, cover
        self._coding = form.coding_for(master.depth)
        self._rate = form.rate_for(master.rate)
        # A sum, or what is between the samples, is deeper than the samples were.
        changed = master.downmix.adds or self._rate != master.rate
        lost = changed or master.depth > self._coding.depth
        self._dithered = self._coding.depth if lost else 0
        self._container = av.open(
            file, "w", format=form.container, container_options=dict(form.container_options)
        )
        self._stream = self._sound(master.downmix.layout)
        self._start()

    @property
    def outlet(self) -> Outlet:
        """What the encoder wants to be given."""
        return Outlet(
            rate=self._rate,
            sample_format=self._coding.sample_format,
            block_frames=self._stream.codec_context.frame_size,
            dithered=self._dithered,
        )

    def put(self, frame: AudioFrame) -> None:
        """Encode a block. Raises TranscodeError when the file gets too large, OSError."""
        self._container.mux(self._stream.encode(frame))
        if self._file.tell() > self._form.max_bytes:
            raise self._too_large()

    def finish(self) -> Rendition:
        """End the file, add what the muxer could not write, and read it once to hash it."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._append()
        md5, size = _digest(self._file)
        return Rendition(
            format=self._form.name,
            size_bytes=size,
            md5=md5,
            sample_rate=self._rate,
            channels=self._stream.codec_context.layout.nb_channels,
            bit_depth=self._coding.depth,
        )

    def _sound(self, layout: str) -> AudioStream:
        stream = cast(
            "AudioStream",
            self._container.add_stream(
                self._coding.codec,
                rate=self._rate,
                options=dict(self._form.codec_options),
                layout=layout,
                format=self._coding.sample_format,
            ),
        )
        if self._form.bit_rate:
            stream.bit_rate = self._form.bit_rate
        stream.codec_context.thread_count = 1
        return stream

    def _start(self) -> None:
        """Write the header with its tags, and the picture before any sound."""
        container = self._container
        container.metadata.update(metadata(self._tags, self._form.container))
        if self._cover is None or self._form.container in _WITH_ID3_APPENDED:
            container.start_encoding()
        elif self._form.container == "ogg":
            container.metadata["METADATA_BLOCK_PICTURE"] = self._cover.picture_block()
            container.start_encoding()
        else:
            packet = self._cover.attach(container)
            container.start_encoding()
            container.mux(packet)

    def _append(self) -> None:
        if self._form.container in _WITH_ID3_APPENDED:
            try:
                append_id3(self._file, id3(self._tags, self._cover), self._form)
            except FileTooLarge:
                raise self._too_large() from None
        elif self._form.container == "mp4" and self._tags.isrc:
            append_isrc(self._file, self._tags.isrc)

    def _too_large(self) -> TranscodeError:
        return TranscodeError(
            Code.RENDITION_TOO_LARGE, f"{self._form.name} files cannot be so long."
        )


def _digest(file: BinaryIO) -> tuple[str, int]:
    """Return the MD5 in hexadecimal and the size of a whole file, made sure to be on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size

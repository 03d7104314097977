"""Opens a master that nobody vouches for, and gives its samples block by block.

Only formats that carry sound themselves are read: a playlist could name any file of the machine.
What FFmpeg decodes of an Atmos stream is its own rendering to channels: ETSI TS 103 420 for E-AC-3.
An ADM scene is rendered here: see scene.py.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO, Final

import av
import numpy as np
from av.error import FFmpegError

from services.publisher.downmix import Downmix, UnknownLayout, downmix
from services.publisher.errors import Code, TranscodeError
from services.publisher.riff import wave_facts
from services.publisher.scene import LAYOUT, SAMPLE_FORMAT, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from services.publisher.scene import Scene

MIN_RATE: Final = 8_000
MAX_RATE: Final = 384_000
# The depth of samples that are no integers: deeper than any coding.
FLOATING: Final = 64
_READ_BYTES = 1 << 18
_DEMUXERS = "wav,w64,aiff,caf,flac,mov,mp3,aac,ogg,matroska,mpegts,ac3,eac3,truehd"
_STRICT = {"err_detect": "crccheck+explode"}
# Range control is for the listener's device: a rendition keeps the range of the master.
_WHOLE_RANGE = {"drc_scale": "0"}
_DECODER_OPTIONS: Final = {
    "ac3": _STRICT | _WHOLE_RANGE,
    "eac3": _STRICT | _WHOLE_RANGE,
    "flac": _STRICT,
    "truehd": _STRICT,
}
# 60 dB above full scale. LAME ends the process when it meets numbers without end, or none.
_LOUDEST = 1000.0
_INTEGERS: Final = {"u8": 8, "s16": 16, "s32": 32}
# These give 24 bits in samples of 32.
_OF_24_BITS: Final = {"pcm_s24le", "pcm_s24be", "truehd", "mlp", "alac"}
# STREAMINFO (RFC 9639 8.2) holds the depth less one in five bits that cross two bytes.
_FLAC_DEPTH = slice(12, 14)


@dataclass(slots=True, kw_only=True)
class Master:
    """One stream of sound, with ``rate`` in hertz and ``depth`` in bits, or FLOATING.

    ``sound`` gives its blocks, once. ``told`` is how many frames its header counts, None if it does
    not say; ``binding`` that it has no fewer.
    """

    sound: Iterator[AudioFrame]
    rate: int
    layout: str
    sample_format: str
    depth: int
    downmix: Downmix
    told: int | None
    binding: bool = False

    def frames(self) -> Iterator[AudioFrame]:
        """Yield all samples in order. Raises TranscodeError when they cannot all be had."""
        seen = 0
        for frame in self.sound:
            if _shape(frame) != (self.rate, self.layout, self.sample_format):
                raise TranscodeError(
                    Code.MASTER_CHANGES, f"Its rate, channels or samples change at frame {seen}."
                )
            if _is_floating(frame) and not np.abs(frame.to_ndarray()).max() <= _LOUDEST:
                raise TranscodeError(
                    Code.MASTER_UNDECODABLE, f"Its samples near frame {seen} are no sound."
                )
            # Containers leave gaps and start late; a rendition has every sample, and no other.
            frame.pts, frame.time_base = seen, Fraction(1, self.rate)
            seen += frame.samples
            yield frame
        if not seen:
            raise TranscodeError(Code.MASTER_EMPTY, "There is no sample in it.")
        if self.binding and seen < (self.told or 0):
            raise TranscodeError(
                Code.MASTER_UNDECODABLE, f"Only {seen} of its {self.told} frames decode."
            )


@contextmanager
def open_master(path: Path) -> Iterator[Master]:
    """Open a master for one reading.

    Raises TranscodeError when it cannot be rendered, OSError when the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        if _is_scene(file):
            with open_scene(path) as scene:
                yield _rendered(scene)
            return
        file.seek(0)
        with _opened(file) as container:
            yield _master(container)


def _is_scene(file: BinaryIO) -> bool:
    """Whether only a renderer may mix it. Raises TranscodeError unless the file is all there."""
    facts = wave_facts(file)
    if facts is not None and facts.missing > 0:
        raise TranscodeError(Code.MASTER_TRUNCATED, f"{facts.missing} bytes of it are missing.")
    return facts is not None and facts.scene


def _rendered(scene: Scene) -> Master:
    return Master(
        sound=scene.mixed(),
        rate=scene.pcm.sample_rate,
        layout=LAYOUT,
        sample_format=SAMPLE_FORMAT,
        depth=scene.pcm.bit_depth,
        downmix=downmix([channel.name for channel in av.AudioLayout(LAYOUT).channels]),
        told=scene.pcm.frames,
    )


def _opened(file: BinaryIO) -> InputContainer:
    options = {"format_whitelist": _DEMUXERS}
    try:
        return av.open(
            file, mode="r", metadata_errors="replace", buffer_size=_READ_BYTES, options=options
        )
    except FFmpegError as error:
        raise TranscodeError(
            Code.MASTER_UNREADABLE, f"No known format: {error.strerror}."
        ) from error


def _master(container: InputContainer) -> Master:
    stream = _only_sound(container)
    context = _decoder(stream)
    channels = [channel.name for channel in context.layout.channels]
    if not MIN_RATE <= context.rate <= MAX_RATE:
        raise TranscodeError(Code.SAMPLE_RATE_UNSUPPORTED, f"It has {context.rate} Hz.")
    try:
        mixing = downmix(channels)
    except UnknownLayout as error:
        raise TranscodeError(
            Code.LAYOUT_UNSUPPORTED, f"No rule makes stereo of {len(channels)} channels: {error}."
        ) from error
    return Master(
        sound=_decoded(container, stream),
        rate=context.rate,
        layout=context.layout.name,
        sample_format=context.format.name,
        depth=_depth(context),
        downmix=mixing,
        told=_told(stream, context.rate),
        # FFmpeg's parser passes over frames whose checksum is wrong, and says nothing.
        binding=container.format.name == "flac",
    )


def _only_sound(container: InputContainer) -> AudioStream:
    streams = container.streams.audio
    if not streams:
        raise TranscodeError(Code.MASTER_WITHOUT_SOUND, "There is no sound in it.")
    if len(streams) > 1:
        raise TranscodeError(
            Code.MASTER_AMBIGUOUS, f"It has {len(streams)} streams of sound, and no rule for one."
        )
    return streams[0]


def _decoder(stream: AudioStream) -> AudioCodecContext:
    context: AudioCodecContext | None = stream.codec_context
    if context is None:
        raise TranscodeError(Code.CODEC_UNSUPPORTED, "There is no decoder for its sound.")
    context.options = _DECODER_OPTIONS.get(context.name, {})
    context.thread_count = 1
    return context


def _depth(context: AudioCodecContext) -> int:
    if context.name in _OF_24_BITS:
        return 24
    if context.name == "flac" and context.extradata:
        return (int.from_bytes(context.extradata[_FLAC_DEPTH]) >> 4 & 31) + 1
    return _INTEGERS.get(context.format.name.removesuffix("p"), FLOATING)


def _told(stream: AudioStream, rate: int) -> int | None:
    if not stream.duration or stream.time_base is None:
        return None
    return round(stream.duration * stream.time_base * rate)


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    try:
        yield from container.decode(stream)
    except FFmpegError as error:
        raise TranscodeError(
            Code.MASTER_UNDECODABLE, f"Its sound does not decode: {error.strerror}."
        ) from error


def _is_floating(frame: AudioFrame) -> bool:
    return frame.format.name.removesuffix("p") not in _INTEGERS


def _shape(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.rate, frame.layout.name, frame.format.name

"""Asks FFmpeg (by PyAV) and MediaInfo what they think of a file.

Both libraries are imported when they are asked: the structure path stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.validator.formats.recognise import Kind
from services.validator.rules.opinions import Opinion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer

ASKED = {Kind.WAVE, Kind.EAC3, Kind.AC4}


def second_opinions(path: Path, kind: Kind) -> Iterator[Opinion]:
    """Yield each tool's opinion of a file that is read as ``kind``."""
    yield _ask_ffmpeg(path, kind)
    yield _ask_mediainfo(path)


def _ask_ffmpeg(path: Path, kind: Kind) -> Opinion:
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path), mode="r", metadata_errors="replace") as container:
            if not container.streams.audio:
                return Opinion(tool="FFmpeg", complaint="no sound stream")
            return _listen(container, container.streams.audio[0], kind)
    except (FFmpegError, ValueError) as error:
        return Opinion(tool="FFmpeg", complaint=str(error))


def _listen(container: InputContainer, stream: AudioStream, kind: Kind) -> Opinion:
    if kind is not Kind.EAC3:
        # AC-4 has no decoder here; PCM cannot fail to decode.
        return Opinion(tool="FFmpeg")
    stream.codec_context.options = {"err_detect": "crccheck+explode"}
    failed = sum(_fails(stream, packet) for packet in container.demux(stream))
    complaint = f"{failed} frames do not decode" if failed else ""
    atmos = "atmos" in (stream.codec_context.profile or "").lower()
    return Opinion(tool="FFmpeg", atmos=atmos, complaint=complaint)


def _fails(stream: AudioStream, packet: Any) -> bool:
    from av.error import FFmpegError

    try:
        stream.codec_context.decode(packet)
    except FFmpegError as error:
        # The end of the stream is told by an error of its own.
        return not isinstance(error, EOFError)
    return False


def _ask_mediainfo(path: Path) -> Opinion:
    from pymediainfo import MediaInfo

    try:
        # MediaInfo's own errors come as these two; a missing track is no error to it.
        parsed = MediaInfo.parse(path)
    except (OSError, RuntimeError) as error:
        return Opinion(tool="MediaInfo", complaint=str(error))
    if not parsed.audio_tracks:
        return Opinion(tool="MediaInfo", complaint="no sound track")
    track = parsed.audio_tracks[0].to_data()
    return Opinion(tool="MediaInfo", atmos=_is_atmos(track), complaint=_conformance(track))


def _is_atmos(track: dict[str, Any]) -> bool:
    names = (track.get("commercial_name"), track.get("admprofile_format"), track.get("adm_profile"))
    return track.get("dolby_atmos") == "Yes" or any("Dolby Atmos" in str(name) for name in names)


def _conformance(track: dict[str, Any]) -> str:
    count = track.get("conformance_errors")
    return f"{count} conformance errors" if count else ""

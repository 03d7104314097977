"""Asks FFmpeg (by PyAV) and MediaInfo what they think of a file.

Both libraries are imported when they are asked: the structure path stays light.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from services.validator.formats.recognise import Kind
from services.validator.rules.opinions import Opinion
from services.validator.rules.registry import clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.error import FFmpegError

ASKED = {Kind.WAVE, Kind.EAC3, Kind.AC4, Kind.TRUEHD, Kind.OTHER_AUDIO}
MAX_TEXTS = 20
_DECODERS = {Kind.EAC3: "eac3", Kind.TRUEHD: "truehd"}
_TRUEHD_SYNC = b"\xf8\x72\x6f\xba"


def second_opinions(path: Path, kind: Kind) -> Iterator[Opinion]:
    """Yield each tool's opinion of a file that is read as ``kind``."""
    yield _ask_ffmpeg(path, kind)
    yield _ask_mediainfo(path)


def _ask_ffmpeg(path: Path, kind: Kind) -> Opinion:
    import av
    from av.error import FFmpegError

    tool = f"FFmpeg {av.ffmpeg_version_info}"
    form = "truehd" if _is_raw_truehd(path) else None
    try:
        with av.open(str(path), mode="r", format=form, metadata_errors="replace") as container:
            stream = _choose(container, kind)
            if stream is None:
                return Opinion(tool=tool, complaints=("no sound stream",))
            return _listen(container, stream, kind, tool)
    except FFmpegError as error:
        return Opinion(tool=tool, complaints=(_words(error),))
    except ValueError as error:
        return Opinion(tool=tool, complaints=(clean(str(error)),))


def _is_raw_truehd(path: Path) -> bool:
    """Whether FFmpeg must be told: its probe takes raw TrueHD for MLP, and fails."""
    with path.open("rb") as file:
        return file.read(8)[4:] == _TRUEHD_SYNC


def _choose(container: InputContainer, kind: Kind) -> AudioStream | None:
    """Return the stream that is coded as we say, else the first one of sound."""
    heard = container.streams.audio
    wanted = (
        each for each in heard if _decoder(each) is not None and each.name == _DECODERS.get(kind)
    )
    return next(wanted, heard[0] if heard else None)


def _decoder(stream: AudioStream) -> AudioCodecContext | None:
    """Return the decoder, which a stream of an unknown codec lacks."""
    return stream.codec_context


def _listen(container: InputContainer, stream: AudioStream, kind: Kind, tool: str) -> Opinion:
    """Decode a stream to its end with checksums on, unless it is PCM or has no decoder."""
    context = _decoder(stream)
    if context is None or kind is Kind.WAVE:
        # AC-4 has no decoder here; PCM cannot fail to decode.
        return Opinion(tool=tool, format=context.name if context else "")
    context.options = {"err_detect": "crccheck+explode"}
    decoded, failed, stopped = _decode(container, stream)
    complaints = [f"{failed} frames do not decode"] if failed else []
    if stopped:
        complaints.append(f"reading stops: {stopped}")
    profile = context.profile or ""
    return Opinion(
        tool=tool,
        format=context.name,
        commercial_name=profile,
        atmos="atmos" in profile.lower() if kind in _DECODERS else None,
        decoded=decoded,
        failed=failed,
        complaints=tuple(complaints),
    )


def _decode(container: InputContainer, stream: AudioStream) -> tuple[int, int, str]:
    """Return how many frames are decoded, how many fail, and why reading stops early."""
    from av.error import FFmpegError

    decoded = failed = 0
    try:
        for packet in container.demux(stream):
            heard = _frames(stream, packet)
            decoded += max(0, heard)
            failed += heard < 0
    except FFmpegError as error:
        return decoded, failed, _words(error)
    return decoded, failed, ""


def _words(error: FFmpegError) -> str:
    """Return what went wrong, without the path of the file."""
    return clean(error.strerror or type(error).__name__)


def _frames(stream: AudioStream, packet: Any) -> int:
    """Return how many frames a packet gives, -1 when it does not decode."""
    from av.error import FFmpegError

    try:
        return len(stream.codec_context.decode(packet))
    except FFmpegError as error:
        # The end of the stream is told by an error of its own.
        return 0 if isinstance(error, EOFError) else -1


def _ask_mediainfo(path: Path) -> Opinion:
    from pymediainfo import MediaInfo

    try:
        # MediaInfo's own errors come as these; a missing track is no error to it.
        read = json.loads(MediaInfo.parse(path, output="JSON"))
    except (OSError, RuntimeError, ValueError) as error:
        return Opinion(tool="MediaInfo", complaints=(clean(str(error)),))
    library = read.get("creatingLibrary") or {}
    tool = f"MediaInfo {library.get('version', '')}".strip()
    tracks = (read.get("media") or {}).get("track") or []
    sound = next((track for track in tracks if track.get("@type") == "Audio"), None)
    if sound is None:
        return Opinion(tool=tool, complaints=("no sound track",))
    errors = [text for track in tracks for text in _conformance(track)]
    return Opinion(
        tool=tool,
        format=clean(str(sound.get("Format", ""))),
        commercial_name=clean(str(sound.get("Format_Commercial", ""))),
        atmos=_is_atmos(sound),
        complaints=tuple(errors[:MAX_TEXTS]),
    )


def _is_atmos(track: dict[str, Any]) -> bool:
    extra = track.get("extra") or {}
    names = (track.get("Format_Commercial"), extra.get("AdmProfile"))
    presentations = extra.get("Presentation") or []
    return any("Dolby Atmos" in str(name) for name in names) or any(
        each.get("DolbyAtmos") == "Yes" for each in presentations if isinstance(each, dict)
    )


def _conformance(track: dict[str, Any]) -> Iterator[str]:
    errors = (track.get("extra") or {}).get("ConformanceErrors", [])
    return (clean(f"{where}: {text}") for where, text in _texts(errors, ""))


def _texts(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield each text of MediaInfo's tree of errors with the names above it."""
    if isinstance(node, dict):
        for name, inner in node.items():
            yield from _texts(inner, f"{where}/{name}".lstrip("/"))
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(inner, where)
    else:
        yield where, str(node)

"""Apple motion art: a short loop of one size, without sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.iso_video import Movie
from services.validator.master_types import MasterType
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.iso_video import VideoTrack
    from services.validator.profile import Profile

_SPEC = "Apple Music, album motion artwork"
_BOXES = "ISO/IEC 14496-12"
_EXPORT = "Export the motion art again as one H.264, HEVC or ProRes track in MP4 or MOV."
_CODECS = {
    "avc1": "H.264",
    "avc3": "H.264",
    "hvc1": "HEVC",
    "hev1": "HEVC",
    "apco": "ProRes 422 Proxy",
    "apcs": "ProRes 422 LT",
    "apcn": "ProRes 422",
    "apch": "ProRes 422 HQ",
    "ap4h": "ProRes 4444",
    "ap4x": "ProRes 4444 XQ",
}
_SIZES: dict[str, tuple[int, int]] = {
    MasterType.APPLE_MOTION_ART_DESKTOP: (3840, 3840),
    MasterType.APPLE_MOTION_ART_MOBILE: (2048, 2732),
}
_RATIOS: dict[str, str] = {
    MasterType.APPLE_MOTION_ART_DESKTOP: "1:1",
    MasterType.APPLE_MOTION_ART_MOBILE: "3:4",
}
_SECONDS = (15.0, 35.0)
_RATES = (23.976, 60.0)
# What rounding the whole length to a tick of 1/600 s comes to.
_RATE_TOLERANCE = 0.005
# Time scales that no rate fits alternate between two neighbours.
_ROUNDING_TICKS = 1


@dataclass(frozen=True, slots=True)
class MotionArt:
    """A movie, or why it cannot be read, and the master type that it was declared as."""

    movie: Movie | FormatError
    master_type: str

    @property
    def video(self) -> VideoTrack | None:
        """The video track when there is just one with pictures."""
        if not isinstance(self.movie, Movie) or len(self.movie.videos) != 1:
            return None
        (video,) = self.movie.videos
        return video if video.frame_rate else None


def codec_name(codec: str) -> str:
    """Return a codec's name for people."""
    return _CODECS.get(codec, codec)


@rule(MotionArt, "video_malformed", spec=_BOXES, fix=_EXPORT)
def video_malformed(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Boxes stay in their parents, and each video track is described."""
    if isinstance(art.movie, FormatError):
        yield Finding(detail=f"{art.movie.detail}.", location=f"byte {art.movie.offset}")


@rule(
    MotionArt,
    "video_truncated",
    spec=_BOXES,
    fix="Transfer the file again: it is shorter than it says.",
)
def video_truncated(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """No box reaches past the end of the file."""
    if isinstance(art.movie, Movie) and (overrun := art.movie.overrun):
        yield Finding(
            detail="The file is cut off: a box announces more bytes than it has.",
            location=f"{overrun.kind} box, byte {overrun.offset}",
            allowed=f"{overrun.end} bytes",
        )


@rule(MotionArt, "video_track_count", spec=_SPEC, fix=_EXPORT)
def video_track_count(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """There is one video track."""
    movie = art.movie
    if isinstance(movie, Movie) and movie.overrun is None and len(movie.videos) != 1:
        yield Finding(
            detail=f"The number of video tracks is {len(movie.videos)}.",
            measured=len(movie.videos),
            allowed=1,
        )


@rule(MotionArt, "video_empty", spec=f"{_BOXES} §8.6.1.2", fix=_EXPORT)
def video_empty(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """The video track lists its pictures and their times, not in fragments of the movie."""
    if isinstance(art.movie, Movie) and len(art.movie.videos) == 1 and art.video is None:
        yield Finding(detail="The video track lists no pictures.", measured=0)


@rule(
    MotionArt,
    "video_codec_not_allowed",
    spec=_SPEC,
    fix="Encode the motion art as H.264, HEVC or ProRes, unencrypted.",
)
def video_codec_not_allowed(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Pictures are coded as H.264, HEVC or ProRes."""
    if art.video and art.video.codec not in _CODECS:
        yield Finding(
            detail=f"The video is coded as {art.video.codec!r}.",
            measured=art.video.codec,
            allowed="H.264, HEVC or ProRes",
        )


@rule(
    MotionArt,
    "video_size_not_allowed",
    spec=_SPEC,
    fix="Render the motion art at the size of its declared type; do not scale it up.",
)
def video_size_not_allowed(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Desktop art is square, 3840 by 3840 pixels; mobile art is 3:4, 2048 by 2732 pixels."""
    wanted = _SIZES[art.master_type]
    if art.video and (art.video.width, art.video.height) != wanted:
        yield Finding(
            detail="The pictures have another size.",
            measured=f"{art.video.width} x {art.video.height}",
            allowed=f"{wanted[0]} x {wanted[1]} ({_RATIOS[art.master_type]})",
        )


@rule(
    MotionArt,
    "video_pixels_not_square",
    spec=f"{_SPEC}; {_BOXES} §12.1.4",
    fix="Export with square pixels: a pixel aspect ratio of 1:1.",
)
def video_pixels_not_square(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Pixels are as wide as they are high."""
    if art.video and art.video.pixel_ratio[0] != art.video.pixel_ratio[1]:
        wide, high = art.video.pixel_ratio
        yield Finding(detail="The pixels are not square.", measured=f"{wide}:{high}", allowed="1:1")


@rule(
    MotionArt,
    "video_frame_rate_not_allowed",
    spec=_SPEC,
    fix="Render the motion art at 23.976 to 60 frames per second.",
)
def video_frame_rate_not_allowed(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """There are 23.976 to 60 pictures per second."""
    low, high = _RATES
    rate = art.video.frame_rate if art.video else low
    if not low - _RATE_TOLERANCE <= rate <= high + _RATE_TOLERANCE:
        yield Finding(
            detail="The frame rate is out of range.",
            measured=f"{rate:.3f} per second",
            allowed=f"{low:g} to {high:g} per second",
        )


@rule(
    MotionArt,
    "video_frame_rate_varies",
    spec=_SPEC,
    fix="Export with a constant frame rate.",
)
def video_frame_rate_varies(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Each picture stands as long as the others; the last one does not count."""
    ticks = art.video.ticks if art.video else {}
    if ticks and max(ticks) - min(ticks) > _ROUNDING_TICKS:
        yield Finding(
            detail="The frame rate is not constant.",
            measured=f"pictures of {min(ticks)} to {max(ticks)} ticks",
            allowed="all of the same length",
        )


@rule(
    MotionArt,
    "video_duration_not_allowed",
    spec=_SPEC,
    fix="Deliver a loop of 15 to 35 seconds.",
)
def video_duration_not_allowed(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """The loop takes 15 to 35 seconds."""
    shortest, longest = _SECONDS
    video = art.video
    # To half a picture: 15 s of 23.976 per second are not a whole number of them.
    if video and not shortest - 0.5 / video.frame_rate <= video.seconds <= longest + (
        0.5 / video.frame_rate
    ):
        yield Finding(
            detail="The loop is too short or too long.",
            measured=f"{video.seconds:.3f} s",
            allowed=f"{shortest:g} to {longest:g} s",
        )


@rule(MotionArt, "video_has_audio", spec=_SPEC, fix="Export the motion art without sound.")
def video_has_audio(art: MotionArt, _: Profile) -> Iterator[Finding]:
    """Motion art is silent: it has no sound track, not even a silent one."""
    if isinstance(art.movie, Movie) and art.movie.sounds:
        yield Finding(
            detail="The file has a sound track.", measured=art.movie.sounds, allowed="none"
        )

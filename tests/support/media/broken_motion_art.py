"""Motion art: each valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.support.media.broken import Broken
from tests.support.media.video import DESKTOP, MOBILE, Art, movie

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DESKTOP, _MOBILE = "apple_motion_art_desktop", "apple_motion_art_mobile"
ART = Art(size=MOBILE)


def _file(code: str, name: str, make: Callable[[], bytes], master_type: str = _MOBILE) -> Broken:
    return Broken(code, name, lambda path: path.write_bytes(make()), master_type=master_type)


def _art(code: str, name: str, art: Art, master_type: str = _MOBILE) -> Broken:
    return _file(code, name, lambda: movie(art), master_type)


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_boxes(), *_pictures(), *_times()]


def _boxes() -> Iterator[Broken]:
    yield _file("video_malformed", "no moov", lambda: _renamed(b"moov", b"free"))
    yield _file("video_malformed", "no stsd", lambda: _renamed(b"stsd", b"free"))
    yield _file("video_malformed", "no table of times", lambda: _renamed(b"stts", b"free"))
    yield _file("video_truncated", "cut", lambda: movie(ART)[:-100])
    yield _file("video_track_count", "none", lambda: _renamed(b"vide", b"text"))
    sounding = replace(ART, sound=True)
    yield _file("video_track_count", "two", lambda: _renamed(b"soun", b"vide", sounding))
    fragments = (("movflags", "frag_keyframe+empty_moov"),)
    yield _art("video_empty", "fragments", replace(ART, options=fragments))
    yield _art("video_has_audio", "silence", sounding)


def _renamed(old: bytes, new: bytes, art: Art = ART) -> bytes:
    """Give the last box of a name, or the last handler, another one."""
    head, tail = movie(art).rsplit(old, 1)
    return head + new + tail


def _pictures() -> Iterator[Broken]:
    yield _art("video_codec_not_allowed", "MPEG-4 Visual", replace(ART, codec="mpeg4"))
    yield _file("video_codec_not_allowed", "encrypted", lambda: _renamed(b"avc1", b"encv"))
    code = "video_size_not_allowed"
    yield _art(code, "desktop as mobile", replace(ART, size=DESKTOP))
    yield _art(code, "mobile as desktop", ART, _DESKTOP)
    yield _art(code, "small", replace(ART, size=(1080, 1440)))
    yield _art("video_pixels_not_square", "4:3", replace(ART, pixel=Fraction(4, 3)))


def _times() -> Iterator[Broken]:
    code = "video_frame_rate_not_allowed"
    yield _art(code, "slow", replace(ART, rate=Fraction(15)))
    yield _art(code, "fast", replace(ART, rate=Fraction(72), pictures=72 * 20))
    yield _art(
        "video_frame_rate_varies", "a gap", replace(ART, rate=Fraction(30), pictures=480, late=100)
    )
    yield _art("video_duration_not_allowed", "short", replace(ART, pictures=350))
    yield _art("video_duration_not_allowed", "long", replace(ART, pictures=850))

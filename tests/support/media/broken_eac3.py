"""E-AC-3 JOC files that are wrong in one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.media import mp4
from tests.support.media.broken import Broken, raw
from tests.support.media.eac3 import (
    Joc,
    dependent,
    joc_frames,
    joc_mp4,
    plain_frames,
    with_joc,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SPOOF = Joc(oamd_objects=None, joc_objects=None)


def files() -> list[Broken]:
    """Return one file or more for each rule of E-AC-3."""
    return [*_boxes(), *_frames(), *_objects()]


def _file(code: str, name: str, make: Callable[[], tuple[bytes, ...]]) -> Broken:
    return raw(code, name, lambda: joc_mp4(make()))


def _boxes() -> list[Broken]:
    short = mp4.box("dec3", b"\x0c\0\x20")
    return [
        raw("dec3_missing", "no dec3", lambda: joc_mp4(config=b"")),
        raw("dec3_malformed", "short dec3", lambda: joc_mp4(config=short)),
        raw("dec3_differs", "44.1 kHz", lambda: joc_mp4(config=mp4.dec3(rate_code=1))),
        raw("dec3_differs", "a dependent", lambda: joc_mp4(config=mp4.dec3(dependents=1))),
        raw("dec3_differs", "two programmes", lambda: joc_mp4(config=_two_programmes())),
        raw("track_duration_differs", "half", lambda: mp4.plain(_track(samples_per_frame=768))),
        raw("sample_count_differs", "stts", lambda: mp4.plain(_track(timed_samples=7))),
        raw("edit_list_cuts", "half", lambda: mp4.plain(_track(edits=((6144, 0),)))),
        raw("edit_list_cuts", "late", lambda: mp4.plain(_track(edits=((9600, -1), (12288, 0))))),
    ]


def _track(
    samples_per_frame: int = 1536,
    timed_samples: int | None = None,
    edits: tuple[tuple[int, int], ...] = (),
) -> mp4.Track:
    track = mp4.Track(frames=joc_frames(), config=mp4.dec3(), edits=edits)
    return replace(track, samples_per_frame=samples_per_frame, timed_samples=timed_samples)


def _two_programmes() -> bytes:
    one = mp4.dec3()[8:]
    head = int.from_bytes(one[:2]) | 1
    return mp4.box("dec3", head.to_bytes(2), one[2:5], one[2:5], one[5:])


def _frames() -> list[Broken]:
    junk = b"\x0b\x78" + bytes(99)
    other = mp4.dec3(rate_code=1)
    return [
        _file("frame_broken", "no sync", lambda: (*joc_frames(), junk)),
        raw("frame_broken", "raw cut", lambda: b"".join(joc_frames())[:-10]),
        _file("frame_broken", "AC-3 in between", lambda: (*joc_frames(), *_ac3())),
        _file("frame_crc_wrong", "bit", lambda: _with_first(_damaged(joc_frames()[0]))),
        raw("sample_rate_not_allowed", "44.1 kHz", lambda: joc_mp4(_other_rate(), other)),
        _file("stream_parameters_change", "rate", lambda: (*joc_frames(), _other_rate()[0])),
    ]


def _ac3() -> tuple[bytes, ...]:
    return plain_frames(1, codec="ac3")[:1]


def _with_first(first: bytes) -> tuple[bytes, ...]:
    return (first, *joc_frames()[1:])


def _damaged(frame: bytes) -> bytes:
    return frame[:700] + bytes([frame[700] ^ 0x10]) + frame[701:]


def _other_rate() -> tuple[bytes, ...]:
    return tuple(with_joc(frame, Joc()) for frame in plain_frames(rate=44_100))


def _objects() -> list[Broken]:
    seventeen = Joc(signalled=17, oamd_objects=17, joc_objects=16)
    return [
        _file("joc_payload_missing", "only a flag", lambda: joc_frames(joc=SPOOF)),
        _file("joc_payload_missing", "one frame without", lambda: _with_first(_spoofed())),
        _file("joc_payload_missing", "a gap of over a second", _gap),
        _file("joc_payload_malformed", "cut", lambda: joc_frames(joc=Joc(cut=True))),
        raw("joc_in_dependent_substream", "twice", _in_dependent),
        _file("joc_not_signalled", "no addbsi", lambda: joc_frames(joc=Joc(signalled=None))),
        raw("joc_not_signalled", "plain dec3", lambda: joc_mp4(config=mp4.dec3(None))),
        raw("complexity_differs", "dec3 12", lambda: joc_mp4(config=mp4.dec3(12))),
        _file("complexity_differs", "addbsi 15", lambda: _with_first(_fifteen())),
        raw("complexity_out_of_range", "17", lambda: _seventeen(seventeen)),
        _file("joc_objects_differ", "14", lambda: joc_frames(joc=Joc(joc_objects=14))),
        raw("no_atmos", "plain E-AC-3", lambda: joc_mp4(plain_frames(), mp4.dec3(None))),
    ]


def _spoofed() -> bytes:
    return with_joc(plain_frames()[0], SPOOF)


def _fifteen() -> bytes:
    return with_joc(plain_frames()[0], Joc(signalled=15))


def _gap() -> tuple[bytes, ...]:
    """Return frames of which 99 in 100 carry objects, but 32 in a row do not."""
    many = joc_frames() * 400
    return many[:1000] + (_spoofed(),) * 32 + many[1000:]


def _in_dependent() -> bytes:
    extra = with_joc(dependent(plain_frames()[0]), Joc())
    frames = tuple(frame + extra for frame in joc_frames())
    return joc_mp4(frames, mp4.dec3(dependents=1))


def _seventeen(joc: Joc) -> bytes:
    return joc_mp4(joc_frames(joc=joc), mp4.dec3(17))

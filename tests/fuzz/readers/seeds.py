"""What each target's fuzzing starts from: small valid inputs, made here."""

from __future__ import annotations

import struct
import tempfile
from dataclasses import replace
from pathlib import Path

from cli.demo.master import master
from tests.fuzz.readers.targets import TINY, report_on
from tests.support.media import ac4, flac, mp4, mpeg_ts, subtitles, truehd, video
from tests.support.media.bits import Bits
from tests.support.media.eac3 import Joc, dependent, emdf, joc_frames, joc_mp4, plain_frames
from tests.support.media.others import other_kinds

_FEW = 3
_SHORT = flac.Sound(frames=200)
_ART = video.Art(size=(64, 64), pictures=4)


def seeds() -> dict[str, list[bytes]]:
    """Return seeds by the name of their target."""
    frames = joc_frames(_FEW)
    chunks = master(TINY).chunks
    bed = master(replace(TINY, beds=("2.0",))).chunks
    return {
        "wave": [_wave(form) for form in ("RIFF", "RF64", "BW64")],
        **{name: [chunks[name], bed[name]] for name in ("axml", "chna", "dbmd")},
        "pcm": [struct.pack("<BBH", depth, 6, 2700) + bytes(range(250)) * 40 for depth in range(3)]
        + [struct.pack("<BBH", 0x80 + depth, 5, 16_000) + bytes(500) for depth in range(3)],
        "mp4": [
            joc_mp4(frames),
            mp4.fragmented(mp4.Track(frames=frames, config=mp4.dec3()), per_fragment=2),
            ac4.mp4_file(),
            truehd.mp4_file(),
        ],
        "eac3": [b"".join(frames), b"".join(plain_frames(2)), frames[0] + dependent(frames[0])],
        "emdf": [bytes(Bits(f"{'0' * fill}{emdf(Joc())}")) for fill in range(_FEW)],
        "ac4": [ac4.raw_file(), ac4.raw_file(crc=False), *ac4.raw_frames()],
        "truehd": [truehd.raw_file()],
        "mpeg_ts": [mpeg_ts.transport_stream(each) for each in _transported(frames)],
        "others": [data for data, *_ in other_kinds().values()],
        "audio_file": [flac.flac(_SHORT), flac.wave(_SHORT)],
        "motion_art": [video.movie(replace(_ART, container=form)) for form in ("mp4", "mov")],
        "subtitles": [subtitles.WEBVTT.encode(), subtitles.SRT.encode()],
        "report": [report_on(data).to_json() for data in (b"junk", _wave("RIFF"))],
    }


def _wave(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "master")
        master(replace(TINY, form=form)).write(path)
        return path.read_bytes()


def _transported(frames: tuple[bytes, ...]) -> list[mpeg_ts.Stream]:
    units = tuple(map(bytes, truehd.units()))
    return [
        mpeg_ts.Stream(frames=frames),
        mpeg_ts.Stream(frames=frames, stride=192),
        mpeg_ts.Stream(frames=units[:_FEW], kind=mpeg_ts.TRUEHD),
        mpeg_ts.Stream(frames=(ac4.raw_file(),), kind=mpeg_ts.AC4_DVB),
    ]

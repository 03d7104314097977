"""Large files made to be slow end within ten seconds, in little memory."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest

from services.validator.master_types import MasterType
from tests.fuzz.readers.targets import report_on
from tests.support.media import flac, mp4, mpeg_ts
from tests.support.media.eac3 import joc_frames

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SECONDS = 10
MEBI = 1 << 20


def flac_of_headers() -> bytes:
    """Return a frame without an end, and a million places that look like its end."""
    data = flac.flac(flac.Sound(frames=200))
    return data[: flac.audio_start(data) + 20] + b"\xff\xf8" * MEBI


def wave_of_chunks() -> bytes:
    chunks = struct.pack("<4sI", b"ABCD", 0) * MEBI
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def mp4_of_boxes() -> bytes:
    return mp4.box("ftyp", b"isom", bytes(4)) + mp4.box("free") * (MEBI // 4)


def eac3_of_sync_words() -> bytes:
    """Fill frames with what looks like the start of object metadata."""
    frame = joc_frames(1)[0]
    return (frame[:200] + b"\x58\x38" * ((len(frame) - 200) // 2)) * 1500


def ts_of_tables() -> bytes:
    packet = mpeg_ts.transport_stream(mpeg_ts.Stream(frames=joc_frames(1)))[:188]
    return packet * (4 * MEBI // 188)


def subtitles_of_arrows() -> bytes:
    return b"WEBVTT\n\n" + b"-->\n\n" * (MEBI // 10)


@pytest.mark.parametrize(
    ("make", "master_type"),
    [
        (flac_of_headers, MasterType.AUDIO_TRACK),
        (wave_of_chunks, MasterType.DOLBY_ATMOS),
        (mp4_of_boxes, MasterType.DOLBY_ATMOS),
        (eac3_of_sync_words, MasterType.DOLBY_ATMOS),
        (ts_of_tables, MasterType.DOLBY_ATMOS),
        (subtitles_of_arrows, MasterType.SUBTITLES),
    ],
)
def test_a_slow_file_is_refused_in_time(make: Callable[[], bytes], master_type: MasterType) -> None:
    data = make()
    started = time.process_time()
    assert not report_on(data, master_type=master_type).accepted
    assert time.process_time() - started < MAX_SECONDS

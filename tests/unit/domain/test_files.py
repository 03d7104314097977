"""What masters are called when they are given out."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.api.domain.catalogue import Record
from services.api.domain.files import file_name, media_type
from services.api.domain.task import DOLBY_ATMOS, Master

ID = UUID(int=7)


def a_record(
    container: object = "RIFF",
    codec: object = "PCM",
    isrc: str | None = "USRC12345678",
    master_type: str = DOLBY_ATMOS,
) -> Record:
    return Record(
        id=ID,
        tenant="default",
        task_id=ID,
        target=None,
        isrc=isrc,
        master_type=master_type,
        master=Master(blob_key="k", size_bytes=1, md5="m"),
        format={"container": container, "codec": codec},
        problems=(),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("container", "codec", "extension", "type_"),
    [
        ("RIFF", "PCM", "wav", "audio/vnd.wave"),
        ("RF64", "PCM", "wav", "audio/vnd.wave"),
        ("BW64", "format tag 0x0003", "wav", "audio/vnd.wave"),
        ("FLAC file", "FLAC", "flac", "audio/flac"),
        ("MP4", "E-AC-3 JOC", "mp4", "audio/mp4"),
        ("MP4", "AC-4 IMS", "mp4", "audio/mp4"),
        ("MPEG-TS", "E-AC-3 JOC", "ts", "video/mp2t"),
        ("raw stream", "E-AC-3 JOC", "ec3", "audio/eac3"),
        ("raw stream", "E-AC-3", "ec3", "audio/eac3"),
        ("raw stream", "AC-4 A-JOC", "ac4", "application/octet-stream"),
        ("raw stream", "TrueHD Atmos", "thd", "audio/vnd.dolby.mlp"),
        ("SubRip", "", "srt", "application/x-subrip"),
        ("WebVTT", "", "vtt", "text/vtt"),
        ("raw stream", "Something new", "bin", "application/octet-stream"),
        ("", "", "bin", "application/octet-stream"),
        (None, None, "bin", "application/octet-stream"),
        ("../../etc", "passwd", "bin", "application/octet-stream"),
    ],
)
def test_a_format_has_an_extension_and_a_type(
    container: object, codec: object, extension: str, type_: str
) -> None:
    record = a_record(container, codec)
    assert (file_name(record), media_type(record)) == (f"USRC12345678.{extension}", type_)


@pytest.mark.parametrize("kind", ["apple_motion_art_desktop", "apple_motion_art_mobile"])
def test_motion_art_is_no_audio(kind: str) -> None:
    assert media_type(a_record("MP4", "HEVC", master_type=kind)) == "video/mp4"
    assert media_type(a_record("RIFF", "PCM", master_type=kind)) == "audio/vnd.wave"


@pytest.mark.parametrize(
    ("isrc", "name"),
    [
        (None, f"{ID}.wav"),
        ("", f"{ID}.wav"),
        ("US-RC1-23-45678", "US-RC1-23-45678.wav"),
        ('a"\r\nb/..\\é', "ab.wav"),
        ("...", f"{ID}.wav"),
    ],
)
def test_a_name_is_clean_whatever_the_isrc(isrc: str | None, name: str) -> None:
    assert file_name(a_record(isrc=isrc)) == name

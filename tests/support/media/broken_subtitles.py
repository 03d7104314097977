"""Subtitles: each valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.cues import MAX_BYTES
from tests.support.media.broken import Broken
from tests.support.media.subtitles import SRT, WEBVTT

if TYPE_CHECKING:
    from collections.abc import Iterator


def _file(code: str, name: str, data: str | bytes) -> Broken:
    raw = data.encode() if isinstance(data, str) else data
    return Broken(code, name, lambda path: path.write_bytes(raw), master_type="subtitles")


def _vtt(code: str, name: str, old: str, new: str) -> Broken:
    assert old in WEBVTT
    return _file(code, f"WebVTT, {name}", WEBVTT.replace(old, new, 1))


def _srt(code: str, name: str, old: str, new: str) -> Broken:
    assert old in SRT
    return _file(code, f"SubRip, {name}", SRT.replace(old, new, 1))


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_texts(), *_headers(), *_times(), *_cues()]


def _texts() -> Iterator[Broken]:
    yield _file("subtitles_too_large", "endless", SRT + " " * MAX_BYTES)
    yield _file("subtitles_not_utf8", "latin 1", SRT.encode("latin-1"))
    yield _file("subtitles_not_utf8", "UTF-16", SRT.encode("utf-16"))
    yield _file("subtitles_empty", "an error page", "404 page not found\n")
    yield _file("subtitles_empty", "header only", "WEBVTT\n\nNOTE nothing\n")
    yield _file("source_is_html", "subtitles", "<!DOCTYPE html>\n<html></html>\n")
    yield _file("master_type_differs", "JSON", '{"error": "link expired"}')


def _headers() -> Iterator[Broken]:
    code, first = "webvtt_header_wrong", "WEBVTT - made for a test\n\n"
    yield _vtt(code, "small", "WEBVTT", "WebVTT")
    yield _vtt(code, "glued", "WEBVTT -", "WEBVTT-")
    yield _vtt(code, "none", first, "")


def _times() -> Iterator[Broken]:
    code = "cue_time_malformed"
    yield _vtt(code, "comma", "00:03.500 --> 00:00:05.000", "00:03,500 --> 00:00:05,000")
    yield _vtt(code, "sixty seconds", "00:01.000", "00:60.000")
    yield _vtt(code, "no space", "00:01.000 -->", "00:01.000-->")
    yield _srt(code, "point", "00:00:03,500 -->", "00:00:03.500 -->")
    yield _srt(code, "no hours", "00:00:03,500 -->", "00:03,500 -->")
    yield _vtt("cue_end_not_after_start", "same", "00:00:05.000", "00:00:03.500")
    yield _srt("cue_end_not_after_start", "before", "10:00:02,000", "09:00:02,000")
    yield _vtt("cue_order_wrong", "late", "00:01.000 --> 00:03.500", "00:04.000 --> 00:06.500")
    yield _srt("cue_order_wrong", "early", "10:00:00,000 --> 10:00:02", "00:00:01,000 --> 00:00:02")


def _cues() -> Iterator[Broken]:
    yield _vtt("cue_empty", "no text", "- One\n- Two\n", "")
    yield _srt("cue_empty", "no text", "- One\n- Two\n", "")
    yield _vtt("subtitles_stray_text", "an empty line", "- One\n", "- One\n\n")
    yield _srt("subtitles_stray_text", "an empty line", "- One\n", "- One\n\n")
    yield _srt("srt_number_wrong", "skipped", "\n3\n", "\n4\n")
    yield _srt("srt_number_wrong", "none", "\n3\n", "\n")

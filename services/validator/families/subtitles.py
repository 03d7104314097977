"""Subtitles: WebVTT or SubRip, told apart by what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.cues import read_text
from services.validator.formats.kinds import Kind
from services.validator.formats.srt import read_srt
from services.validator.formats.webvtt import looks_like_webvtt, read_webvtt
from services.validator.rules.delivery import Misdeclared
from services.validator.rules.subtitles import SubtitleText
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict
    from shared.adm.source import Source

# What text is taken for when it is coded otherwise, or when nothing else is known of it.
_TEXTS = {"text file", "file of no known kind"}
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r")
_HEAD_BYTES = 4096
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WANTED = "a WebVTT or SubRip file"


def judge_subtitles(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a file that is declared as subtitles."""
    if not _may_be_text(source, recognised):
        verdict.judge(Misdeclared(recognised, verdict.asked.master_type, _WANTED))
        return
    try:
        text = read_text(source)
    except FormatError as error:
        verdict.judge(SubtitleText(source.size, error))
        return
    subtitles = read_webvtt(text) if looks_like_webvtt(text) else read_srt(text)
    ends = [cue.times[1] for cue in subtitles.cues if cue.times]
    verdict.format = Format(container=subtitles.form, duration_seconds=max(ends, default=0.0))
    verdict.judge(subtitles)


def _may_be_text(source: Source, recognised: Recognised) -> bool:
    """Whether a file can be text in any coding: known as such, or known as nothing else."""
    if source.peek(0, 2) in _UTF16_MARKS:
        return True
    text = recognised.kind in (Kind.TEXT, Kind.UNKNOWN) and recognised.container in _TEXTS
    return text and _CONTROLS.isdisjoint(source.peek(0, _HEAD_BYTES))

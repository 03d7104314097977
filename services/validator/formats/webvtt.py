"""WebVTT: the header, then blocks of cues, notes, styles and regions (W3C WebVTT §4)."""

from __future__ import annotations

import re

from services.validator.formats.cues import ARROW, WEBVTT, Subtitles, blocks, lines, read_cue

_TIME = r"(?:(\d{2,9}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+\S.*)?", re.ASCII)
_POINT_BEFORE = re.compile(r"\d\.\d{3}[ \t]*\Z", re.ASCII)
_HEADER = re.compile(r"WEBVTT(?:[ \t].*)?")
_OTHER_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t].*)?")
_HEAD_CHARACTERS = 4096


def looks_like_webvtt(text: str) -> bool:
    """Whether a text means to be WebVTT, by its first word or by its first times."""
    head = text[:_HEAD_CHARACTERS]
    before, arrow, _ = head.partition(ARROW)
    by_time = bool(arrow) and _POINT_BEFORE.search(before) is not None
    return head[:6].upper() == "WEBVTT" or by_time


def read_webvtt(text: str) -> Subtitles:
    """Read all cues of a text."""
    everything = lines(text)
    header = _HEADER.fullmatch(everything[0]) is not None
    result = Subtitles(WEBVTT, header)
    # Without a header the first line may be a cue's already.
    skipped = 1 if everything[0][:6].upper() == "WEBVTT" else 0
    for block in blocks(everything[skipped:], skipped + 1):
        cue = read_cue(block, _TIMING)
        if cue is not None:
            result.cues.append(cue)
        elif not _OTHER_BLOCK.fullmatch(block[0][1]) and block[0][0] > skipped + 1:
            result.stray.append(block[0][0])
    return result

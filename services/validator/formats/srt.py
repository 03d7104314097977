"""SubRip: numbered blocks of times and text."""

from __future__ import annotations

import re

from services.validator.formats.cues import SUBRIP, Subtitles, blocks, lines, read_cue

_TIME = r"(\d{2,9}):([0-5]\d):([0-5]\d),(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}", re.ASCII)


def read_srt(text: str) -> Subtitles:
    """Read all cues of a text."""
    result = Subtitles(SUBRIP)
    for block in blocks(lines(text)):
        cue = read_cue(block, _TIMING)
        if cue is None:
            result.stray.append(block[0][0])
        else:
            result.cues.append(cue)
    return result

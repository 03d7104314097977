"""SubRip as WebVTT (W3C WebVTT §4.1)."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from services.validator.formats.cues import ARROW, blocks, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.cues import Lines

# Both forms write these tags alike, though SubRip in any case.
_KEPT_TAG = re.compile(r"(</?[biu]>)", re.IGNORECASE)
# What players of SubRip add to it: fonts and colours, and positions as SubStation Alpha has them.
_OTHER_MARKUP = re.compile(r"</?font\b[^<>]*>|\{\\[^{}]*\}", re.IGNORECASE)


def to_webvtt(text: str) -> str:
    """The same cues as WebVTT, for a text in which ``read_srt`` finds nothing wrong.

    Bold, italic and underline stay; fonts, colours and positions, which WebVTT has no tags for, go.
    """
    cues = ("\n".join(_cue(block)) for block in blocks(lines(text)))
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def _cue(block: Lines) -> Iterator[str]:
    written = [line for _, line in block]
    at = 0 if ARROW in written[0] else 1
    # Any other name may mean something else to WebVTT, as NOTE does.
    yield from (name.strip() for name in written[:at] if name.strip().isdecimal())
    yield written[at].strip().replace(",", ".")
    # An empty line would end the cue.
    yield from filter(str.strip, map(_text, written[at + 1 :]))


def _text(line: str) -> str:
    parts = enumerate(_KEPT_TAG.split(_OTHER_MARKUP.sub("", line)))
    return "".join(part.lower() if at % 2 else escape(part, quote=False) for at, part in parts)

"""What a file is, from its own first bytes: never from its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.kinds import MP4, MPEG_TS, Kind, Recognised
from shared.adm.riff import FORMS
from shared.adm.source import Source, open_source

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MP4", "MPEG_TS", "Kind", "Recognised", "recognise", "recognise_source"]

_HEAD_BYTES = 4096


def recognise(path: Path) -> Recognised:
    """Say what a file is; raises OSError when it cannot be read."""
    with open_source(path) as source:
        return recognise_source(source)


def recognise_source(source: Source) -> Recognised:
    """Say what a file is."""
    if source.size == 0:
        return Recognised(Kind.EMPTY, "empty file")
    head = source.peek(0, _HEAD_BYTES)
    if head[:4] in FORMS and head[8:12] == b"WAVE":
        return Recognised(Kind.WAVE, head[:4].decode(), "PCM")
    # All other readers are imported only for a file that may need them.
    from services.validator.formats.recognise_others import recognise_other

    return recognise_other(source, head)

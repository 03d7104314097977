"""MP4 files: the boxes, then the codec of the sound track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.families.ac4 import judge_ac4
from services.validator.families.eac3 import judge_eac3
from services.validator.formats import mp4
from services.validator.formats.recognise import Kind, Recognised
from services.validator.formats.source import FormatError, Source
from services.validator.rules.mp4 import Mp4File

if TYPE_CHECKING:
    from services.validator.verdict import Verdict


def judge_mp4(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge an MP4 file."""
    try:
        walked: mp4.Mp4 | FormatError = mp4.read_mp4(source)
    except FormatError as error:
        walked = error
    if not verdict.judge(Mp4File(walked, source.size)) or isinstance(walked, FormatError):
        return
    track = walked.audio()
    if track is not None and recognised.kind is Kind.EAC3:
        judge_eac3(source, recognised, track, verdict)
    elif track is not None and recognised.kind is Kind.AC4:
        judge_ac4(recognised, track, verdict)
    else:
        verdict.identify(recognised, "")

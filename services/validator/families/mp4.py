"""MP4 files: the boxes, then the codec of the sound track."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.families.codecs import judge_track
from services.validator.formats import mp4
from services.validator.formats.kinds import CODED
from services.validator.rules.mp4 import Mp4File
from shared.adm.source import FormatError, Source

if TYPE_CHECKING:
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict


def judge_mp4(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge an MP4 file."""
    try:
        walked: mp4.Mp4 | FormatError = mp4.read_mp4(source)
    except FormatError as error:
        walked = error
    if not verdict.judge_container(Mp4File(walked, source.size)) or isinstance(walked, FormatError):
        return
    track = walked.audio()
    if track is not None and recognised.kind in CODED:
        judge_track(source, track, recognised, verdict)
    else:
        verdict.identify(recognised, "")

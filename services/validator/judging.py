"""Hands each file to the family that knows its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.families.ac4 import RAW_AC4
from services.validator.families.eac3 import judge_eac3
from services.validator.families.mp4 import judge_mp4
from services.validator.families.wave import judge_wave
from services.validator.formats.recognise import MP4, Kind, Recognised
from services.validator.verdict import Verdict
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.source import Source
    from services.validator.profile import Profile


def judge_source(source: Source, recognised: Recognised, profile: Profile) -> Verdict:
    """Judge a file by its structures."""
    verdict = Verdict(profile, Format(container=recognised.container, codec=recognised.codec))
    if recognised.kind is Kind.WAVE:
        judge_wave(source, recognised, verdict)
    elif recognised.container == MP4:
        judge_mp4(source, recognised, verdict)
    elif recognised.kind is Kind.EAC3:
        judge_eac3(source, recognised, None, verdict)
    else:
        verdict.identify(recognised, RAW_AC4 if recognised.kind is Kind.AC4 else "")
    return verdict

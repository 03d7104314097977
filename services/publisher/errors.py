"""Why a master cannot be transcoded, as a code and a sentence."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What stands in the way; the values are stable."""

    MASTER_UNREADABLE = "master_unreadable"
    MASTER_WITHOUT_SOUND = "master_without_sound"
    MASTER_AMBIGUOUS = "master_ambiguous"
    MASTER_EMPTY = "master_empty"
    MASTER_TRUNCATED = "master_truncated"
    MASTER_UNDECODABLE = "master_undecodable"
    MASTER_CHANGES = "master_changes"
    CODEC_UNSUPPORTED = "codec_unsupported"
    LAYOUT_UNSUPPORTED = "layout_unsupported"
    SAMPLE_RATE_UNSUPPORTED = "sample_rate_unsupported"
    ADM_UNREADABLE = "adm_unreadable"
    COVER_UNREADABLE = "cover_unreadable"
    RENDITION_TOO_LARGE = "rendition_too_large"


class TranscodeError(Exception):
    """This master, or this cover, cannot become these renditions; trying again changes nothing."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

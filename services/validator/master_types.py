"""What a master may be declared to be: decides which family of checks it meets."""

from __future__ import annotations

from enum import StrEnum


class MasterType(StrEnum):
    """The declared kinds of master."""

    CD = "cd"
    HD = "hd"
    DOLBY_ATMOS = "dolby_atmos"
    APPLE_MOTION_ART_DESKTOP = "apple_motion_art_desktop"
    APPLE_MOTION_ART_MOBILE = "apple_motion_art_mobile"
    SUBTITLES = "subtitles"
    AUDIO_TRACK = "audio_track"

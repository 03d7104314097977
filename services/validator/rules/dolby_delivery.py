"""What shops ask of Dolby's metadata: warnings here, errors where a delivery profile says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.formats.dolby_metadata import (
    ATMOS,
    SUPPLEMENTAL,
    TRIM_LAYOUTS,
    AtmosSegment,
    SupplementalSegment,
)
from services.validator.rules.dolby_metadata import dolby_metadata_of
from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_DOLBY = "Dolby Atmos Music, delivery of ADM BWF masters"
_UMG = "Universal Music Group, Dolby Atmos content guide"
_FRAME_RATES = {1: "23.976", 2: "24", 3: "25", 4: "29.97 drop", 5: "29.97", 6: "30"}
_WARP_MODES = {
    0: "direct render",
    1: "direct render with room balance",
    2: "Pro Logic IIx",
    3: "Lo/Ro",
    4: "not indicated",
}
_OFF, _MID, _UNSET = 0, 3, 4


@rule(
    AdmMaster,
    "frame_rate_not_allowed",
    severity=Severity.WARNING,
    spec=_DOLBY,
    fix="Set the session and the renderer to 24 frames per second and export again.",
)
def frame_rate_not_allowed(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """Music is delivered with timecode of 24 frames per second."""
    allowed = profile.dolby.frame_rates
    for atmos in _atmos(master):
        rate = _FRAME_RATES.get(atmos.frame_rate)
        if rate is not None and rate not in allowed:
            yield Finding(
                detail="The frame rate is not the one that music is delivered with.",
                location=f"dbmd segment {ATMOS}",
                measured=rate,
                allowed=" or ".join(sorted(allowed)),
            )


@rule(
    AdmMaster,
    "warp_mode_not_allowed",
    severity=Severity.WARNING,
    spec=_UMG,
    fix="Set the downmix of 5.1 and 5.1.4 to Direct Render and export again.",
)
def warp_mode_not_allowed(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """The downmix to 5.1 is Direct Render: what the mixer heard, without room balance or phase."""
    allowed = profile.dolby.warp_modes
    for atmos in _atmos(master):
        if atmos.warp_mode in _WARP_MODES and atmos.warp_mode not in allowed:
            yield Finding(
                detail="The downmix to 5.1 is not the one that is asked for.",
                location=f"dbmd segment {ATMOS}",
                measured=_WARP_MODES[atmos.warp_mode],
                allowed=" or ".join(_WARP_MODES[each] for each in sorted(allowed)),
            )


@rule(
    AdmMaster,
    "ffoa_set",
    severity=Severity.WARNING,
    spec=_UMG,
    fix="Clear the first frame of action in the renderer and export again.",
)
def ffoa_set(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A first frame of action is for film: music starts where the file starts."""
    for atmos in _atmos(master):
        if atmos.first_frame.is_set:
            yield Finding(
                detail="A first frame of action is set.",
                location=f"dbmd segment {ATMOS}",
                measured=atmos.first_frame,
                allowed="none",
            )


def _atmos(master: AdmMaster) -> list[AtmosSegment]:
    segment = dolby_metadata_of(master).atmos
    return [segment] if isinstance(segment, AtmosSegment) else []


@rule(
    AdmMaster,
    "binaural_unset",
    severity=Severity.WARNING,
    spec=_UMG,
    fix="Set the binaural render mode of each bed channel and object to Off, Near, Mid or Far.",
)
def binaural_unset(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """On headphones a track without a binaural render mode sounds as the player likes."""
    for modes in _binaural(master):
        for track, mode in enumerate(modes, 1):
            if mode == _UNSET:
                yield Finding(
                    detail=f"Track {track} has no binaural render mode.",
                    location=f"track {track}",
                    measured="not indicated",
                    allowed="Off, Near, Mid or Far",
                )


@rule(
    AdmMaster,
    "binaural_all_off",
    severity=Severity.WARNING,
    spec=_UMG,
    fix="Set the binaural render modes: with all of them Off headphones play plain stereo.",
)
def binaural_all_off(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A master with all binaural modes Off is plain stereo on headphones."""
    yield from _all(master, _OFF, "Off")


@rule(
    AdmMaster,
    "binaural_all_mid",
    severity=Severity.WARNING,
    spec=_UMG,
    fix="Check that Mid is meant for each track: it is what the renderer sets when nobody chooses.",
)
def binaural_all_mid(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Mid on every track is the renderer's default: nobody may have chosen it."""
    yield from _all(master, _MID, "Mid")


def _all(master: AdmMaster, mode: int, name: str) -> Iterator[Finding]:
    for modes in _binaural(master):
        if set(modes) == {mode}:
            yield Finding(
                detail=f"The binaural render mode of every track is {name}.",
                location=f"dbmd segment {SUPPLEMENTAL}",
                measured=f"{len(modes)} tracks {name}",
                allowed="modes that are chosen track by track",
            )


def _binaural(master: AdmMaster) -> list[tuple[int, ...]]:
    return [segment.binaural_modes for segment in _supplemental(master)]


def _supplemental(master: AdmMaster) -> list[SupplementalSegment]:
    segment = dolby_metadata_of(master).supplemental
    return [segment] if isinstance(segment, SupplementalSegment) else []


@rule(
    AdmMaster,
    "trims_not_manual",
    severity=Severity.INFO,
    spec=_UMG,
    fix="Set the trims to manual, 0 dB, where the downmix should sound as it was mixed.",
)
def trims_not_manual(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Automatic trims lower surrounds and heights in a downmix; manual ones of 0 dB are advised."""
    for segment in _supplemental(master):
        pairs = zip(TRIM_LAYOUTS, segment.trims, strict=True)
        automatic = [layout for layout, trim in pairs if trim.automatic]
        if automatic:
            yield Finding(
                detail="Some trims are automatic.",
                location=f"dbmd segment {SUPPLEMENTAL}",
                measured=", ".join(automatic),
                allowed="manual trims",
            )

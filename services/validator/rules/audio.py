"""What the master sounds like, against what its delivery asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.audio.limits import Delivery
    from services.validator.audio.measurement import AudioMeasurement
    from services.validator.profile import Profile

_LOUDNESS = "ITU-R BS.1770-4 annex 1"
_PEAK = "ITU-R BS.1770-4 annex 2"
_TURN_DOWN = "Lower the master's level and measure it again on a 5.1 downmix."


@dataclass(frozen=True, slots=True)
class Audio:
    """What was measured, what the delivery asks, and how long the stereo version is, if known."""

    measured: AudioMeasurement
    delivery: Delivery
    stereo_seconds: float | None = None


@rule(Audio, "loudness_too_high", severity=Severity.WARNING, spec=_LOUDNESS, fix=_TURN_DOWN)
def loudness_too_high(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The integrated loudness is above the limit, but by no more than our estimate may be off."""
    excess = _excess(audio.measured.integrated_lufs, audio.delivery.max_integrated_lufs)
    if 0 < excess <= audio.delivery.loudness_margin_lu:
        yield _too_loud(audio, "above the limit, within the margin of the estimate")


@rule(Audio, "loudness_over_margin", severity=Severity.WARNING, spec=_LOUDNESS, fix=_TURN_DOWN)
def loudness_over_margin(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The integrated loudness is above the limit by more than our estimate may be off."""
    excess = _excess(audio.measured.integrated_lufs, audio.delivery.max_integrated_lufs)
    if excess > audio.delivery.loudness_margin_lu:
        yield _too_loud(audio, "above the limit, beyond the margin of the estimate")


def _excess(value: float | None, limit: float | None) -> float:
    return 0.0 if value is None or limit is None else value - limit


def _too_loud(audio: Audio, how: str) -> Finding:
    return Finding(
        detail=f"The integrated loudness is {how} ({audio.measured.method}).",
        location="5.1 downmix",
        measured=f"{audio.measured.integrated_lufs:.1f} LUFS",
        allowed=f"at most {audio.delivery.max_integrated_lufs:.1f} LUFS, "
        f"margin {audio.delivery.loudness_margin_lu:.1f} LU",
    )


@rule(
    Audio,
    "loudness_too_low",
    severity=Severity.WARNING,
    spec=_LOUDNESS,
    fix="Raise the master's level and measure it again on a 5.1 downmix.",
)
def loudness_too_low(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The integrated loudness is below what the delivery wants, by more than our margin."""
    value, limit = audio.measured.integrated_lufs, audio.delivery.min_integrated_lufs
    if (
        value is not None
        and limit is not None
        and value < limit - audio.delivery.loudness_margin_lu
    ):
        yield Finding(
            detail=f"The integrated loudness is too low ({audio.measured.method}).",
            location="5.1 downmix",
            measured=f"{value:.1f} LUFS",
            allowed=f"at least {limit:.1f} LUFS, margin {audio.delivery.loudness_margin_lu:.1f} LU",
        )


@rule(
    Audio,
    "true_peak_too_high",
    severity=Severity.WARNING,
    spec=_PEAK,
    fix="Limit the true peak of the 5.1 downmix, with some headroom below the limit.",
)
def true_peak_too_high(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The true peak is above the limit, but by no more than our estimate may be off."""
    excess = _excess(audio.measured.true_peak_dbtp, audio.delivery.max_true_peak_dbtp)
    if 0 < excess <= audio.delivery.true_peak_margin_db:
        yield _peak(audio, "above the limit, within the margin of the estimate")


@rule(
    Audio,
    "true_peak_over_margin",
    severity=Severity.WARNING,
    spec=_PEAK,
    fix="Limit the true peak of the 5.1 downmix, with some headroom below the limit.",
)
def true_peak_over_margin(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The true peak is above the limit by more than our estimate may be off."""
    excess = _excess(audio.measured.true_peak_dbtp, audio.delivery.max_true_peak_dbtp)
    if excess > audio.delivery.true_peak_margin_db:
        yield _peak(audio, "above the limit, beyond the margin of the estimate")


def _peak(audio: Audio, how: str) -> Finding:
    return Finding(
        detail=f"The true peak is {how} ({audio.measured.method}).",
        location="5.1 downmix",
        measured=f"{audio.measured.true_peak_dbtp:.1f} dBTP",
        allowed=f"at most {audio.delivery.max_true_peak_dbtp:.1f} dBTP, "
        f"margin {audio.delivery.true_peak_margin_db:.1f} dB",
    )


@rule(
    Audio,
    "all_silent",
    spec="ITU-R BS.2088 §5",
    fix="Export the master again with its audio; check that the tracks were not muted.",
)
def all_silent(audio: Audio, _: Profile) -> Iterator[Finding]:
    """Every sample of every track is digital zero: there is nothing to hear."""
    if audio.measured.silent:
        yield Finding(
            detail="All tracks are digital silence.",
            location="all tracks",
            measured=f"{audio.measured.frames} frames of zeros",
            allowed="sound",
        )


@rule(
    Audio,
    "track_silent",
    severity=Severity.WARNING,
    spec="ITU-R BS.2088 §5",
    fix="Leave out objects without sound, or check that the track was not muted by mistake.",
)
def track_silent(audio: Audio, _: Profile) -> Iterator[Finding]:
    """An object or a bed channel never sounds, while others do."""
    if audio.measured.silent:
        return
    for track in audio.measured.tracks:
        if track.silent:
            yield Finding(
                detail=f"Track {track.number} is digital silence from start to end.",
                location=f"track {track.number}",
                measured="digital silence",
                allowed="sound",
            )


@rule(
    Audio,
    "identical_channels",
    severity=Severity.WARNING,
    spec="ITU-R BS.2088 §5",
    fix="Deliver a true immersive mix: remove the copied track, or assign the right audio to it.",
)
def identical_channels(audio: Audio, _: Profile) -> Iterator[Finding]:
    """Two tracks that sound are the same bit for bit, as when stereo is copied into a bed."""
    for first, second in audio.measured.identical:
        yield Finding(
            detail=f"Track {second} is a copy of track {first}.",
            location=f"track {second}",
            measured=f"the samples of track {first}",
            allowed="samples of its own",
        )


@rule(
    Audio,
    "lfe_content",
    severity=Severity.WARNING,
    spec="ITU-R BS.775-3 annex 7",
    fix="Low-pass the LFE channel at 120 Hz and move full-range sound to other channels.",
)
def lfe_content(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The LFE channel holds sound above 200 Hz, which is not what it is for."""
    limit = audio.delivery.max_lfe_share_above_200hz
    for track in audio.measured.tracks:
        share = track.lfe_share_above_200hz
        if share is not None and share > limit:
            yield Finding(
                detail="The LFE channel holds sound above 200 Hz.",
                location=f"track {track.number}",
                measured=f"{share:.0%} of its energy",
                allowed=f"at most {limit:.0%}",
            )


@rule(
    Audio,
    "clipping",
    severity=Severity.WARNING,
    spec="EBU R 128",
    fix="Mix or export again with more headroom: what was cut off cannot be repaired afterwards.",
)
def clipping(audio: Audio, _: Profile) -> Iterator[Finding]:
    """Samples at full scale follow each other: the wave was cut off."""
    for track in audio.measured.tracks:
        if track.clipped_runs:
            yield Finding(
                detail=f"Track {track.number} is clipped in {track.clipped_runs} places.",
                location=f"track {track.number}, frame {track.first_clip}",
                measured=f"{track.clipped_runs} runs of samples at full scale",
                allowed="none",
            )


@rule(
    Audio,
    "head_silence",
    severity=Severity.WARNING,
    spec="Dolby Atmos music delivery, silence at the start",
    fix="Trim the digital silence in front of the programme.",
)
def head_silence(audio: Audio, _: Profile) -> Iterator[Finding]:
    """All tracks are digital zero for too long before the first sound."""
    first = min(_frames(audio, "first_sound"), default=0)
    yield from _silence(audio, first, 0, audio.delivery.max_head_silence_seconds, "starts")


@rule(
    Audio,
    "tail_silence",
    severity=Severity.WARNING,
    spec="Dolby Atmos music delivery, silence at the end",
    fix="Trim the digital silence behind the programme.",
)
def tail_silence(audio: Audio, _: Profile) -> Iterator[Finding]:
    """All tracks are digital zero for too long after the last sound."""
    end = audio.measured.frames - 1
    last = max(_frames(audio, "last_sound"), default=end)
    limit = audio.delivery.max_tail_silence_seconds
    yield from _silence(audio, end - last, last + 1, limit, "ends")


def _frames(audio: Audio, name: str) -> Iterator[int]:
    """Yield a frame number of every track that has one."""
    numbers = (getattr(track, name) for track in audio.measured.tracks)
    return (number for number in numbers if number is not None)


def _silence(audio: Audio, frames: int, start: int, limit: float, verb: str) -> Iterator[Finding]:
    seconds = frames / audio.measured.sample_rate
    if seconds > limit:
        yield Finding(
            detail=f"The master {verb} with digital silence.",
            location=f"frame {start}",
            measured=f"{frames} frames ({seconds:.3f} s)",
            allowed=f"at most {limit:.3f} s",
        )


@rule(
    Audio,
    "stereo_duration_differs",
    severity=Severity.WARNING,
    spec="Dolby Atmos music delivery, same duration as the stereo track",
    fix="Export the Atmos master and the stereo master from the same start to the same end.",
)
def stereo_duration_differs(audio: Audio, _: Profile) -> Iterator[Finding]:
    """The Atmos version is not as long as the stereo version of the track."""
    stereo, own = audio.stereo_seconds, audio.measured.seconds
    limit = audio.delivery.max_stereo_difference_seconds
    if stereo is not None and abs(own - stereo) > limit:
        yield Finding(
            detail="The master and its stereo version have different durations.",
            location=f"frame {audio.measured.frames}",
            measured=f"{own:.3f} s",
            allowed=f"{stereo:.3f} s, to {limit:.3f} s",
        )

"""What the pass over the samples found, as plain numbers that go into the report."""

from __future__ import annotations

import msgspec

LOUDNESS_MARGIN_LU = 1.0
TRUE_PEAK_MARGIN_DB = 1.0
RENDERED = (
    "estimate: 5.1 render of beds and moving objects by sine-cosine panning without heights, "
    "trims or room balance, not Dolby's renderer; ITU-R BS.1770-4, EBU Tech 3342"
)
DIRECT = "the channels as they are, all of weight 1; ITU-R BS.1770-4, EBU Tech 3342"


class Track(msgspec.Struct, frozen=True):
    """One PCM track; ``number`` counts from 1, ``first_sound`` and ``last_sound`` are frames.

    ``peak_dbfs`` and both frames are None for a track of digital silence. ``clipped_runs`` counts
    runs of samples at full scale, ``first_clip`` is the frame where the first of them starts.
    """

    number: int
    peak_dbfs: float | None
    first_sound: int | None
    last_sound: int | None
    clipped_runs: int = 0
    first_clip: int | None = None
    lfe_share_above_200hz: float | None = None

    @property
    def silent(self) -> bool:
        """Whether every sample is digital zero."""
        return self.first_sound is None


class Moment(msgspec.Struct, frozen=True):
    """Loudness around a time in seconds: the loudest 400 ms, and the 3 s that end there; LUFS."""

    seconds: float
    momentary_lufs: float | None
    short_term_lufs: float | None


class AudioMeasurement(msgspec.Struct, frozen=True):
    """The sound of a whole file.

    Loudness is None when the file is too short or nothing passes the gate of -70 LUFS.
    ``identical`` are pairs of track numbers whose samples are the same bits and not silence.
    """

    method: str
    frames: int
    sample_rate: int
    integrated_lufs: float | None
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    tracks: tuple[Track, ...]
    identical: tuple[tuple[int, int], ...] = ()
    moments: tuple[Moment, ...] = ()
    loudness_margin_lu: float = LOUDNESS_MARGIN_LU
    true_peak_margin_db: float = TRUE_PEAK_MARGIN_DB

    @property
    def seconds(self) -> float:
        """How long the file sounds."""
        return self.frames / self.sample_rate

    @property
    def silent(self) -> bool:
        """Whether no track sounds at all."""
        return all(track.silent for track in self.tracks)

"""The one pass: every block of samples is read once and all that is asked of it while cached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from services.validator.audio.arrays import (
    HOPS_PER_SECOND,
    decibels,
    divisor,
    hop_frames,
    window_frames,
    window_peaks,
)
from services.validator.audio.bass import BassMeter
from services.validator.audio.loudness import LoudnessMeter
from services.validator.audio.measurement import (
    DIRECT,
    LOUDNESS_MARGIN_LU,
    RENDERED,
    TRUE_PEAK_MARGIN_DB,
    AudioMeasurement,
    Track,
)
from services.validator.audio.tracks import Tracks
from services.validator.audio.true_peak import TruePeakMeter
from shared.adm.panner import LFE_LABELS, SPEAKERS, WEIGHTS
from shared.adm.pcm import Pcm
from shared.adm.render import Renderer
from shared.adm.routes import BedRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.adm.arrays import Block
    from shared.adm.routes import Route
    from shared.adm.source import Source

# Samples of all channels that are worked on at once: what stays in the cache of one core.
_CACHED_SAMPLES = 1 << 17


def measure(  # noqa: PLR0917 - where the samples are, then what the fmt chunk says
    source: Source,
    data_offset: int,
    data_size: int,
    channels: int,
    bit_depth: int,
    sample_rate: int,
    routes: Sequence[Route] | None,
    on_progress: Callable[[int], None] | None = None,
) -> AudioMeasurement:
    """Measure the samples of a wave file in one pass and constant memory.

    ``routes`` says for each track where it goes in the 5.1 render; None measures the channels as
    they are. ``on_progress`` hears how many frames are done, at least once for a second of sound.
    Raises FormatError when the samples cannot be measured, ValueError when routes are too few.
    """
    pcm = Pcm(source, data_offset, data_size, channels, bit_depth, sample_rate)
    return _Pass(pcm, routes).run(on_progress)


@dataclass(slots=True)
class _Pass:
    """All meters over one file."""

    pcm: Pcm
    routes: Sequence[Route] | None
    _renderer: Renderer | None = field(init=False)
    _tracks: Tracks = field(init=False)
    _bass: BassMeter = field(init=False)
    _loudness: LoudnessMeter = field(init=False)
    _true_peak: TruePeakMeter = field(init=False)

    def __post_init__(self) -> None:
        """Choose what the loudness is measured on."""
        pcm, routes = self.pcm, self.routes
        if routes is not None and len(routes) != pcm.channels:
            raise ValueError(f"{len(routes)} routes for {pcm.channels} tracks")
        weights = (1.0,) * pcm.channels if routes is None else WEIGHTS
        self._renderer = None if routes is None else Renderer(routes, pcm.sample_rate)
        self._tracks = Tracks(pcm.channels, pcm.bit_depth, window_frames(pcm.sample_rate))
        self._bass = BassMeter(pcm.sample_rate, _lfe_tracks(routes or ()))
        self._loudness = LoudnessMeter(pcm.sample_rate, weights)
        self._true_peak = TruePeakMeter(pcm.sample_rate, len(weights))

    def run(self, on_progress: Callable[[int], None] | None) -> AudioMeasurement:
        """Read the file from its first to its last frame, whole hops at a time."""
        hop = hop_frames(self.pcm.sample_rate)
        metered = self.pcm.channels if self._renderer is None else SPEAKERS
        hops = min(max(_CACHED_SAMPLES // (hop * metered), 1), HOPS_PER_SECOND)
        for first in range(0, self.pcm.frames, hop * hops):
            frames = min(hop * hops, self.pcm.frames - first)
            if self._renderer is None:
                self._measure_directly(first, frames, -(-frames // hop) * hop)
            else:
                self._measure_rendered(self._renderer, first, frames, -(-frames // hop) * hop)
            if on_progress is not None:
                on_progress(first + frames)
        return self._result()

    def _measure_directly(self, first: int, frames: int, padded: int) -> None:
        joined = self._room(padded)
        peaks = self._read_into(joined[self._true_peak.history :], first)
        self._meter(joined, peaks, frames)

    def _measure_rendered(self, renderer: Renderer, first: int, frames: int, padded: int) -> None:
        """Mix piece by piece, so that many tracks stay in the cache too."""
        window = window_frames(self.pcm.sample_rate)
        wanted = max(_CACHED_SAMPLES // (window * self.pcm.channels), 1)
        block = np.empty(
            (window * divisor(padded // window, wanted), self.pcm.channels), np.float32
        )
        joined, bass = self._room(padded), np.empty((padded, len(self._bass.tracks)), np.float32)
        mixed = joined[self._true_peak.history :]
        for at in range(0, padded, len(block)):
            self._read_into(block, first + at)
            mixed[at : at + len(block)] = renderer.render(block, first + at)
            bass[at : at + len(block)] = block[:, self._bass.tracks]
        self._bass.add(bass)
        self._meter(joined, window_peaks(mixed, window), frames)

    def _room(self, frames: int) -> Block:
        """Return room for a block, with the frames in front that the true peak needs."""
        history = self._true_peak.history
        return np.empty((history + frames, self._true_peak.channels), np.float32)

    def _read_into(self, block: Block, first: int) -> Block:
        """Fill a block and return its windows' peaks, after what concerns the tracks themselves."""
        self.pcm.read_into(block, first)
        peaks = window_peaks(block, window_frames(self.pcm.sample_rate))
        self._tracks.add(block, peaks, first)
        return peaks

    def _meter(self, joined: Block, peaks: Block, frames: int) -> None:
        """Measure whole hops; a last part of a hop was filled up, and no loudness counts it."""
        hop = hop_frames(self.pcm.sample_rate)
        self._true_peak.add(joined, peaks, frames)
        self._loudness.add(joined[self._true_peak.history :][: frames // hop * hop])

    def _result(self) -> AudioMeasurement:
        return AudioMeasurement(
            method=DIRECT if self._renderer is None else RENDERED,
            frames=self.pcm.frames,
            sample_rate=self.pcm.sample_rate,
            integrated_lufs=self._loudness.integrated,
            loudness_range_lu=self._loudness.range,
            true_peak_dbtp=decibels(float(self._true_peak.peaks.max())),
            tracks=tuple(self._track(index) for index in range(self.pcm.channels)),
            identical=self._tracks.identical,
            moments=self._loudness.moments(),
            loudness_margin_lu=0.0 if self._renderer is None else LOUDNESS_MARGIN_LU,
            true_peak_margin_db=0.0 if self._renderer is None else TRUE_PEAK_MARGIN_DB,
        )

    def _track(self, index: int) -> Track:
        found = self._tracks
        return Track(
            number=index + 1,
            peak_dbfs=decibels(float(found.peaks[index])),
            first_sound=_frame(int(found.first[index])),
            last_sound=_frame(int(found.last[index])),
            clipped_runs=int(found.runs[index]),
            first_clip=_frame(int(found.first_clip[index])),
            lfe_share_above_200hz=self._bass.shares.get(index),
        )


def _frame(number: int) -> int | None:
    return number if number >= 0 else None


def _lfe_tracks(routes: Sequence[Route]) -> tuple[int, ...]:
    return tuple(
        index
        for index, route in enumerate(routes)
        if isinstance(route, BedRoute) and route.label in LFE_LABELS
    )

"""Masters that are valid but for what they sound like: one for each rule of the sound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cli.demo.master import Spec
from tests.support.media.audio import Signal, noise, programme, sounding
from tests.support.media.broken import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

# Beds first: L R C LFE Lss Rss Lrs Rrs Lts Rts, then the objects.
SPEC = Spec(objects=2, seconds=1.0)
LFE, TOP, OBJECT = 3, 8, 10


def _file(code: str, name: str, change: Callable[[Signal], Signal]) -> Broken:
    return Broken(code, name, lambda path: sounding(SPEC, change(programme(SPEC))).write(path))


def _silenced(signal: Signal, where: tuple[slice, slice]) -> Signal:
    signal[where] = 0
    return signal


def _copied(signal: Signal) -> Signal:
    signal[:, OBJECT + 1] = signal[:, OBJECT]
    return signal


def _full_range(signal: Signal) -> Signal:
    signal[:, LFE : LFE + 1] = noise(SPEC.seconds, SPEC.rate, 1, -40.0)
    return signal


def _clipped(signal: Signal) -> Signal:
    # Smooth, and halved by the render: nothing else is wrong with it.
    signal[20_000:20_200, TOP] = (-1.3 * np.hanning(200)).clip(-1, 1)
    return signal


def _pulse(level: float, samples: int) -> Callable[[Signal], Signal]:
    """Return a change: a few samples of the centre channel at this level."""

    def change(signal: Signal) -> Signal:
        signal[:, 2] = 0
        signal[30_000 : 30_000 + samples, 2] = level
        return signal

    return change


def files() -> list[Broken]:
    """Return every file, each with its code."""
    everything = slice(None)
    return [
        _file("all_silent", "only zeros", lambda s: s * np.float32(0)),
        _file("track_silent", "object", lambda s: _silenced(s, (everything, slice(11, 12)))),
        _file("identical_channels", "two objects", _copied),
        _file("lfe_content", "noise", _full_range),
        _file("clipping", "five samples", _clipped),
        _file("head_silence", "0.1 s", lambda s: _silenced(s, (slice(4_800), everything))),
        _file("tail_silence", "0.1 s", lambda s: _silenced(s, (slice(-4_800, None), everything))),
        _file("loudness_too_high", "half above", lambda s: s * np.float32(1.83)),
        _file("loudness_over_margin", "far above", lambda s: s * np.float32(2.5)),
        _file("loudness_too_low", "whisper", lambda s: s * np.float32(0.05)),
        _file("true_peak_too_high", "a pulse", _pulse(0.93, 1)),
        _file("true_peak_over_margin", "a pulse", _pulse(0.92, 2)),
        replace(
            _file("stereo_duration_differs", "a longer stereo version", lambda s: s),
            stereo_seconds=60.0,
        ),
    ]

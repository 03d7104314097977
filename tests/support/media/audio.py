"""Signals for tests of the sound, and files that carry them."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from cli.demo.master import Spec, Wave, master

if TYPE_CHECKING:
    from pathlib import Path

# Frames x channels, 1.0 is full scale.
Signal: TypeAlias = npt.NDArray[np.float32]

HEADER_BYTES = 44


def noise(seconds: float, rate: int, channels: int, level_db: float = -20.0) -> Signal:
    """Return white noise of this root mean square, other samples in each channel."""
    samples = np.random.default_rng(channels).standard_normal((round(seconds * rate), channels))
    return (samples * 10 ** (level_db / 20)).clip(-0.99, 0.99).astype(np.float32)


def tone(
    seconds: float, rate: int, hertz: float, *, level_db: float = -20.0, turn: float = 0.0
) -> Signal:
    """Return one channel of a sine of this peak; ``turn`` is its first phase in radians."""
    phase = 2 * np.pi * hertz / rate * np.arange(round(seconds * rate)) + turn
    samples: Signal = (10 ** (level_db / 20) * np.sin(phase)).astype(np.float32)
    return samples[:, np.newaxis]


def packed(signal: Signal, depth: int = 24) -> bytes:
    """Return a signal as interleaved little-endian PCM."""
    scale = 2 ** (depth - 1)
    integers = np.round(signal.astype(np.float64) * scale).clip(-scale, scale - 1).astype("<i4")
    return bytes(integers.reshape(-1, 1).view(np.uint8)[:, : depth // 8].tobytes())


def write_plain(path: Path, signal: Signal, rate: int, depth: int = 24) -> None:
    """Write a wave file with a header of HEADER_BYTES."""
    channels, data = signal.shape[1], packed(signal, depth)
    align = channels * depth // 8
    fmt = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * align, align, depth)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + fmt
    path.write_bytes(head + b"data" + struct.pack("<I", len(data)) + data)


def sounding(spec: Spec, signal: Signal) -> Wave:
    """Return a valid master of the length of ``spec`` that sounds so."""
    return replace(master(spec), block=packed(signal))


def programme(spec: Spec) -> Signal:
    """Return sound that no rule has anything to say about: one tone for each track."""
    tones = [
        tone(spec.seconds, spec.rate, 40 if track.label == "RC_LFE" else 300 + 20 * index)
        for index, track in enumerate(spec.channels)
    ]
    return np.hstack(tones) * np.float32(0.3)

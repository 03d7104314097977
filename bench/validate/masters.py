"""The masters of the benchmark: written to a temporary folder, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cli.demo.master import Spec, master

if TYPE_CHECKING:
    from pathlib import Path

_LOOP_SECONDS = 5
_AXML_BYTES = 97_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One master; ``direct`` measures its tracks as they are, ``structure`` only reads its axml."""

    name: str
    spec: Spec
    direct: bool = False
    structure: bool = False


CASES = (
    Case("16 channels, 7 min, tracks as they are", Spec(objects=6, seconds=434), direct=True),
    Case("58 channels, 60 s, 5.1 render", Spec(objects=48, seconds=60)),
    Case("128 channels, 3.5 min, 5.1 render", Spec(objects=118, seconds=210)),
    Case("58 channels, 1 s, axml of 97 MB", Spec(objects=48, seconds=1), structure=True),
)


def write(path: Path, case: Case, scale: float) -> float:
    """Write a master of ``scale`` times its length and return its seconds."""
    spec = replace(case.spec, seconds=max(round(case.spec.seconds * scale), 1))
    wave = replace(master(spec), block=_sound(len(spec.channels), spec.rate))
    if case.structure:
        wave = wave.with_chunk("axml", _padded(wave.chunks["axml"], int(_AXML_BYTES * scale)))
    wave.write(path)
    return spec.seconds


def _sound(channels: int, rate: int) -> bytes:
    """Return noise whose level moves as music does; it repeats after a few seconds."""
    random = np.random.default_rng(1)
    seconds = []
    for second in range(_LOOP_SECONDS):
        level = 0.01 * (1 + second) * 2**23
        integers = (random.standard_normal((rate, channels)) * level).astype("<i4")
        seconds.append(integers.reshape(-1, 1).view(np.uint8)[:, :3].tobytes())
    return b"".join(seconds)


def _padded(axml: bytes, size: int) -> bytes:
    """Repeat the objects' blocks until the chunk has its size."""
    end = axml.rindex(b"</audioChannelFormat>")
    start = axml.rindex(b"<audioBlockFormat", 0, end)
    block = axml[start:end]
    return axml[:end] + block * ((size - len(axml)) // len(block)) + axml[end:]

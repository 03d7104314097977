"""The masters of the benchmark: written to a temporary folder, block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cli.demo.master import Spec, master

if TYPE_CHECKING:
    from pathlib import Path

_LOOP_SECONDS = 5
_UNITS_PER_SECOND = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One master; ``direct`` measures its tracks as they are.

    ``axml`` is how many bytes of blocks its objects have, None for those of the demo; a master that
    states it is only read, not listened to.
    ``steady`` is a tone on each track instead of noise: true peaks that no shortcut finds early.
    """

    name: str
    spec: Spec
    direct: bool = False
    axml: int | None = None
    steady: bool = False


CASES = (
    Case("16 channels, 7 min, noise", Spec(objects=6, seconds=434), direct=True),
    Case("16 channels, 7 min, tones", Spec(objects=6, seconds=434), direct=True, steady=True),
    Case("58 channels, 60 s, 5.1 render", Spec(objects=48, seconds=60)),
    Case("128 channels, 3.5 min, 5.1 render", Spec(objects=118, seconds=210)),
    Case("16 channels, 7 min, axml of 1.7 MB", Spec(objects=6, seconds=434), axml=1_700_000),
    Case("58 channels, 6 s, axml of 97 MB", Spec(objects=48, seconds=6), axml=97_000_000),
)


def write(path: Path, case: Case, scale: float) -> float:
    """Write a master of ``scale`` times its length, but no less axml; return its seconds."""
    spec = replace(case.spec, seconds=max(round(case.spec.seconds * scale), 1))
    wave = master(spec)
    if not case.steady:
        wave = replace(wave, block=_sound(len(spec.channels), spec.rate))
    if case.axml is not None:
        axml = wave.chunks["axml"].decode()
        axml = _padded(axml, case.axml, round(spec.seconds * _UNITS_PER_SECOND))
        wave = wave.with_chunk("axml", axml.encode())
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


def _padded(axml: str, size: int, units: int) -> str:
    """Give each object as many blocks as make the size, all of them valid; ``units`` is its end."""
    head, *channels = axml.split("<audioChannelFormat ")
    moving = sum("AC_0003" in channel[:60] for channel in channels)
    blocks = size // (moving * len(_block("AC_00030000", 1, 0, 0)))
    parts = [head]
    for channel in channels:
        identifier = channel.split('"', 2)[1]
        if identifier.startswith("AC_0003"):
            first, end = channel.index("<audioBlockFormat"), channel.rindex("</audioBlockFormat>")
            times = [number * units // blocks for number in range(blocks + 1)]
            written = (
                _block(identifier, number, start, end)
                for number, (start, end) in enumerate(pairwise(times), 1)
            )
            tail = channel[end + len("</audioBlockFormat>") :]
            parts.append(channel[:first] + "".join(written) + tail)
        else:
            parts.append(channel)
    return "<audioChannelFormat ".join(parts)


def _block(channel: str, number: int, start: int, end: int) -> str:
    """Write one block of an object that goes round the room."""
    angle, length = number / 50, "0.005208" if number > 1 else "0.000000"
    return (
        f'<audioBlockFormat audioBlockFormatID="AB_{channel[3:]}_{number:08x}" '
        f'rtime="{_time(start)}" duration="{_time(end - start)}">\n'
        "            <cartesian>1</cartesian>\n"
        f'            <position coordinate="X">{math.cos(angle):.10f}</position>\n'
        f'            <position coordinate="Y">{math.sin(angle):.10f}</position>\n'
        '            <position coordinate="Z">0.0000000000</position>\n'
        f'            <jumpPosition interpolationLength="{length}">1</jumpPosition>\n'
        "          </audioBlockFormat>\n          "
    )


def _time(units: int) -> str:
    seconds, fraction = divmod(units, _UNITS_PER_SECOND)
    return f"00:{seconds // 60:02}:{seconds % 60:02}.{fraction:05}"

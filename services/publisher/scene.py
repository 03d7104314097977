"""An ADM BWF master (ITU-R BS.2076): its beds and moving objects mixed to 5.1, block by block.

By the same renderer that the validator measures loudness with: heights are folded down, trims and
room balance are left out.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from services.publisher.errors import Code, TranscodeError
from shared.adm.axml import read_axml
from shared.adm.chna import read_chna
from shared.adm.pcm import Pcm
from shared.adm.render import Renderer
from shared.adm.riff import Fmt, read_riff
from shared.adm.routing import routes_of
from shared.adm.source import FormatError, open_source
from shared.adm.trajectories import Trajectories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame

    from shared.adm.arrays import Block
    from shared.adm.riff import Chunk, RiffFile
    from shared.adm.routes import Route
    from shared.adm.source import Source

# FFmpeg's name of L R C LFE Ls Rs, and of interleaved floating point.
LAYOUT: Final = "5.1(side)"
SAMPLE_FORMAT: Final = "flt"
_BLOCK_FRAMES = 4800


@dataclass(frozen=True, slots=True)
class Scene:
    """The tracks of a master and where each goes in the mix."""

    pcm: Pcm
    routes: tuple[Route, ...]

    def mixed(self) -> Iterator[AudioFrame]:
        """Yield the whole mix in order. Raises TranscodeError when the file becomes shorter."""
        pcm, renderer = self.pcm, Renderer(self.routes, self.pcm.sample_rate)
        for first in range(0, pcm.frames, _BLOCK_FRAMES):
            count = min(_BLOCK_FRAMES, pcm.frames - first)
            block = np.empty((count, pcm.channels), np.float32)
            try:
                pcm.read_into(block, first)
            except FormatError as error:
                raise TranscodeError(Code.MASTER_TRUNCATED, f"{error.detail}.") from error
            yield _frame(renderer.render(block, first), pcm.sample_rate)


@contextmanager
def open_scene(path: Path) -> Iterator[Scene]:
    """Read a master's metadata; raises TranscodeError when they give no mix, OSError."""
    with open_source(path) as source:
        try:
            scene = _read(source, read_riff(source))
        except FormatError as error:
            raise _unreadable(error.detail) from error
        yield scene


def _read(source: Source, riff: RiffFile) -> Scene:
    fmt, data = riff.fmt, riff.chunk("data")
    chna, axml = riff.chunk("chna"), riff.chunk("axml")
    if not isinstance(fmt, Fmt) or not fmt.is_pcm or data is None:
        raise _unreadable("Its samples are no integer PCM")
    if chna is None or axml is None:
        raise _unreadable("It has no axml chunk")
    pcm = Pcm(source, data.offset, data.size, fmt.channels, fmt.bit_depth, fmt.sample_rate)
    routes = _routes(source, fmt, chna, axml)
    if not any(routes):
        raise _unreadable("Its metadata give none of its tracks a place")
    return Scene(pcm, routes)


def _routes(source: Source, fmt: Fmt, chna: Chunk, axml: Chunk) -> tuple[Route, ...]:
    paths = Trajectories()
    adm = read_axml(source, axml, sample_rate=fmt.sample_rate, on_block=paths)
    return routes_of(adm, read_chna(source, chna), paths.by_channel, fmt.channels)


def _frame(mixed: Block, rate: int) -> AudioFrame:
    packed = np.ascontiguousarray(mixed).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format=SAMPLE_FORMAT, layout=LAYOUT)
    frame.rate = rate
    return frame


def _unreadable(detail: str) -> TranscodeError:
    return TranscodeError(Code.ADM_UNREADABLE, f"{detail}.")

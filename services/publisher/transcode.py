"""From a master to its renditions: decoded once, every format written at the same time.

Memory does not grow with the length of the master but for MP4, whose index takes some 12 MB for an
hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.publisher.cover import read_cover
from services.publisher.encoding import Encoding
from services.publisher.formats import FORMATS
from services.publisher.master import open_master
from services.publisher.metering import Meter, outlets
from services.publisher.mixing import Mixing
from services.publisher.order import Transcoded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from av.audio.frame import AudioFrame

    from services.publisher.master import Master
    from services.publisher.order import Order


def transcode(
    path: Path,
    order: Order,
    files: Sequence[BinaryIO],
    on_progress: Callable[[int, int | None], None],
) -> Transcoded:
    """Make all renditions of a master, each in the file at the place of its format.

    The files are empty and open for reading and writing; whoever opened them closes them, and
    removes them when this raises. ``on_progress`` hears how many frames of the master are done, and
    of how many if its header says so. Raises TranscodeError, and OSError when a file cannot be
    read or written.
    """
    cover = read_cover(order.cover)
    with open_master(path) as master:
        encodings = [
            Encoding(FORMATS[name], file, master, order.tags, cover)
            for name, file in zip(order.formats, files, strict=True)
        ]
        return _Pass(master, encodings).run(on_progress)


class _Pass:
    """One reading of a master, through the graph and into every encoder."""

    def __init__(self, master: Master, encodings: list[Encoding]) -> None:
        self._master, self._encodings, self._meter = master, encodings, Meter()
        listening = outlets(master.rate)
        self._mixing = Mixing(master, [*(each.outlet for each in encodings), *listening])
        self._takers = [*(each.put for each in encodings), self._meter.weigh, self._meter.watch]

    def run(self, on_progress: Callable[[int, int | None], None]) -> Transcoded:
        done = 0
        for frame in self._master.frames():
            self._put(frame)
            done += frame.samples
            on_progress(done, self._master.told)
        self._put(None)
        return Transcoded(
            renditions=tuple(each.finish() for each in self._encodings),
            loudness=self._meter.loudness,
            frames=done,
            sample_rate=self._master.rate,
            mixed=self._master.downmix.adds,
        )

    def _put(self, frame: AudioFrame | None) -> None:
        for index, part in self._mixing.put(frame):
            self._takers[index](part)

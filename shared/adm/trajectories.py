"""How each object moves: its blocks as columns of numbers, for a renderer or a picture."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.adm.model import OBJECTS
from shared.adm.times import UNITS_PER_SECOND

if TYPE_CHECKING:
    from shared.adm.blocks import Block, Run


def _column() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Trajectory:
    """The blocks of one channel in their order: times in seconds, coordinates in -1 to 1.

    ``gain`` is linear. A block is reached by interpolation over ``interpolation`` seconds from its
    start, 0 for a jump.
    """

    channel_id: str
    start: array[float] = field(default_factory=_column)
    duration: array[float] = field(default_factory=_column)
    x: array[float] = field(default_factory=_column)
    y: array[float] = field(default_factory=_column)
    z: array[float] = field(default_factory=_column)
    gain: array[float] = field(default_factory=_column)
    interpolation: array[float] = field(default_factory=_column)


class Trajectories:
    """Collects the trajectories of all objects; give it to ``read_axml`` as ``on_block``.

    ``by_channel`` is keyed by the audioChannelFormatID in capitals. What a block does not say, or
    not well, is the middle of the room, full gain, no time.
    """

    def __init__(self) -> None:
        self.by_channel: dict[str, Trajectory] = {}

    def __call__(self, block: Block) -> None:
        """Add a block to its channel's trajectory; those of a bed stand still and are left out."""
        if block.form.kind != OBJECTS:
            return
        path = self._path(block.channel)
        path.start.append((block.start or 0) / UNITS_PER_SECOND)
        path.duration.append((block.duration or 0) / UNITS_PER_SECOND)
        path.x.append(block.number("X") or 0.0)
        path.y.append(block.number("Y") or 0.0)
        path.z.append(block.number("Z") or 0.0)
        gain = block.linear_gain
        path.gain.append(1.0 if gain is None else gain)
        path.interpolation.append(block.form.interpolation or 0.0)

    def extend(self, run: Run) -> None:
        """Add plain blocks of one object to its trajectory."""
        path, count = self._path(run.channel), len(run.starts)
        path.start.extend([start / UNITS_PER_SECOND for start in run.starts])
        path.duration.extend([duration / UNITS_PER_SECOND for duration in run.durations])
        path.x.extend(run.column("X"))
        path.y.extend(run.column("Y"))
        path.z.extend(run.column("Z"))
        path.gain.extend([1.0] * count)
        path.interpolation.extend([run.form.interpolation or 0.0] * count)

    def _path(self, channel: str) -> Trajectory:
        key = channel.upper()
        path = self.by_channel.get(key)
        if path is None:
            path = self.by_channel[key] = Trajectory(channel)
        return path

"""Beds and moving objects rendered to 5.1: an estimate of what Dolby's renderer makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from shared.adm.panner import SPEAKERS, bed_gains, pan
from shared.adm.routes import BedRoute, ObjectRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.adm.arrays import Block, Doubles, Indices
    from shared.adm.routes import Route
    from shared.adm.trajectories import Trajectory

# Longer ramps are outside every profile, and would keep too many moves alive at once.
_MAX_RAMP_SECONDS = 0.1
_PIECE_FRAMES = 480
_MOVES_AT_ONCE = 256
_MAX_GAIN = 16.0


@dataclass(slots=True)
class Renderer:
    """Mixes tracks to L R C LFE Ls Rs.

    Each change of an object is a ramp of its six gains; ramps add up, so that they may overlap.
    """

    routes: Sequence[Route]
    rate: int
    _gains: Doubles = field(init=False)
    _moves: _Moves = field(init=False)
    _next: int = 0
    _moving: Indices = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        """Turn routes into first gains and a list of moves in the order of time."""
        self._gains = np.zeros((len(self.routes), SPEAKERS))
        moves = [_no_moves()]
        for track, route in enumerate(self.routes):
            if isinstance(route, BedRoute):
                self._gains[track] = bed_gains(route.label, route.x, route.y)
            elif isinstance(route, ObjectRoute) and len(route.path.start):
                gains = _path_gains(route.path)
                self._gains[track] = gains[0]
                moves.append(_path_moves(track, route.path, gains, self.rate))
        self._moves = _in_order(moves)

    def render(self, block: Block, first: int) -> Block:
        """Return the 5.1 mix of a block whose first frame is ``first``, frames x 6."""
        if not self._moving.size and not self._due(first + len(block)):
            return block @ self._gains.astype(np.float32)
        pieces = range(0, len(block), _PIECE_FRAMES)
        return np.concatenate(
            [self._piece(block[at : at + _PIECE_FRAMES], first + at) for at in pieces]
        )

    def _due(self, end: int) -> bool:
        starts = self._moves.starts
        return self._next < len(starts) and bool(starts[self._next] < end)

    def _piece(self, block: Block, first: int) -> Block:
        end, moves = first + len(block), self._moves
        mixed = block @ self._gains.astype(np.float32)
        upto = int(np.searchsorted(moves.starts, end))
        moving = np.concatenate([self._moving, np.arange(self._next, upto)])
        for at in range(0, len(moving), _MOVES_AT_ONCE):
            some = moving[at : at + _MOVES_AT_ONCE]
            passed = np.arange(first + 1, end + 1)[:, np.newaxis] - moves.starts[some]
            ramps = np.clip(passed / moves.lengths[some], 0, 1).astype(np.float32)
            mixed += (block[:, moves.tracks[some]] * ramps) @ moves.changes[some]
        done = moves.starts[moving] + moves.lengths[moving] <= end
        np.add.at(self._gains, moves.tracks[moving[done]], moves.changes[moving[done]])
        self._next, self._moving = upto, moving[~done]
        return mixed


@dataclass(frozen=True, slots=True)
class _Moves:
    """Changes of gains: when each starts and how long it takes (frames), whose, by how much."""

    starts: Doubles
    lengths: Doubles
    tracks: Indices
    changes: Block


def _no_moves() -> _Moves:
    nothing = np.empty(0)
    return _Moves(nothing, nothing, np.empty(0, np.int64), np.empty((0, SPEAKERS), np.float32))


def _path_gains(path: Trajectory) -> Doubles:
    """Return the six gains of each block."""
    gain = np.nan_to_num(np.asarray(path.gain)).clip(-_MAX_GAIN, _MAX_GAIN)
    gains: Doubles = pan(path.x, path.y) * gain[:, np.newaxis]
    return gains


def _path_moves(track: int, path: Trajectory, gains: Doubles, rate: int) -> _Moves:
    """Return the moves of one track; blocks that change nothing are none."""
    move = np.nonzero(np.any(gains[1:] != gains[:-1], axis=1))[0] + 1
    starts = np.nan_to_num(np.asarray(path.start)[move]).clip(0)
    ramps = np.nan_to_num(np.asarray(path.interpolation)[move]).clip(max=_MAX_RAMP_SECONDS)
    return _Moves(
        np.round(starts * rate),
        np.round(ramps * rate).clip(1),
        np.full(len(move), track),
        (gains[move] - gains[move - 1]).astype(np.float32),
    )


def _in_order(moves: list[_Moves]) -> _Moves:
    starts = np.concatenate([each.starts for each in moves])
    order = np.argsort(starts, kind="stable")
    return _Moves(
        starts[order],
        np.concatenate([each.lengths for each in moves])[order],
        np.concatenate([each.tracks for each in moves])[order],
        np.concatenate([each.changes for each in moves])[order],
    )

"""Where each PCM track goes in the 5.1 render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from shared.adm.trajectories import Trajectory


@dataclass(frozen=True, slots=True)
class BedRoute:
    """A bed channel: its speaker label, and its position for labels that 5.1 has no place for."""

    label: str
    x: float = 0.0
    y: float = 1.0


@dataclass(frozen=True, slots=True)
class ObjectRoute:
    """An object: it moves along its path; times count from the first sample."""

    path: Trajectory


# None is a track that nothing in the metadata speaks of: it is not heard.
Route: TypeAlias = BedRoute | ObjectRoute | None

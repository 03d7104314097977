"""Our own word on a file, as it grows while the file is led through its layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.validator.rules.identity import Identity
from services.validator.rules.registry import breaks_structure, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.validator.audio.measurement import AudioMeasurement
    from services.validator.formats.adm_bwf import AdmMaster
    from services.validator.formats.recognise import Recognised
    from services.validator.profile import Profile
    from shared.adm.trajectories import Trajectory
    from shared.problems import Format, Problem


def unheard(_step: str, _done: int, _total: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be looked at, besides the structures.

    ``master_type`` is what the file is to be, ``audio`` whether the samples are measured,
    ``stereo_seconds`` how long the track's stereo version is. ``on_progress`` is told the step, and
    how much of it is done of how much.
    """

    master_type: str = "dolby_atmos"
    audio: bool = True
    stereo_seconds: float | None = None
    on_progress: Callable[[str, int, int], None] = unheard


@dataclass(slots=True)
class Verdict:
    """Our own word on a file.

    ``atmos`` is whether it claims to be Atmos at all, ``readable`` whether its container and its
    axml are sound enough to be shown to other tools.
    ``master`` and ``paths`` are what an ADM BWF describes, ``measured`` is what it sounds like.
    """

    profile: Profile
    format: Format
    asked: Asked = field(default_factory=Asked)
    atmos: bool = False
    readable: bool = True
    master: AdmMaster | None = None
    paths: Mapping[str, Trajectory] = field(default_factory=dict)
    measured: AudioMeasurement | None = None
    problems: list[Problem] = field(default_factory=list)

    def judge(self, subject: object) -> bool:
        """Add what the rules find in a subject; return whether it is worth going deeper."""
        self.problems += judge(subject, self.profile)
        return not breaks_structure(self.problems)

    def judge_container(self, subject: object) -> bool:
        """Judge what holds all the rest; a file that fails here is not shown to other tools.

        MediaInfo may search a container for minutes that it cannot make sense of.
        """
        self.readable = self.judge(subject)
        return self.readable

    def identify(self, recognised: Recognised, carries: str) -> bool:
        """Judge what the file claims to be; return whether it is worth going deeper."""
        self.atmos = bool(carries)
        return self.judge(Identity(recognised, carries))

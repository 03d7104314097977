"""A whole TrueHD stream, summed up unit by unit in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.validator.formats.truehd import AccessUnit, parse_unit
from services.validator.formats.truehd_checksums import MAX_KEPT, SubstreamChecks
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from services.validator.formats.truehd_dmlp import Dmlp
    from services.validator.formats.truehd_sync import MajorSync


@dataclass(slots=True)
class TruehdStream:
    """What the access units of a stream say, taken together.

    ``in_track`` is True for MP4 samples, described by ``dmlp``. Units count from 0: ``changed_at``
    is the first whose major sync differs from the ``first`` one, ``longest_run`` the most units
    from one major sync to the next; ``bad_headers`` holds the first units with a wrong checksum in
    header, major sync or restart header.
    """

    in_track: bool = False
    dmlp: Dmlp | FormatError | None = None
    units: int = 0
    first: MajorSync | None = None
    bad_headers: list[int] = field(default_factory=list)
    checks: SubstreamChecks = field(default_factory=SubstreamChecks)
    changed_at: int | None = None
    longest_run: int = 0
    broken: FormatError | None = None
    _substreams: int | None = None
    _run: int = 0

    def add(self, position: int, data: bytes) -> None:
        """Take in the access unit at an offset; raises FormatError, there, when it is none."""
        try:
            unit = parse_unit(data, self._substreams)
        except FormatError as error:
            raise FormatError(error.detail, position) from error
        if unit.sync:
            self._add_sync(unit.sync)
        self._run += 1
        self.longest_run = max(self.longest_run, self._run)
        self._check(unit)
        self.units += 1

    def _add_sync(self, sync: MajorSync) -> None:
        self.first = self.first or sync
        if self.changed_at is None and sync.parameters != self.first.parameters:
            self.changed_at = self.units
        self._substreams, self._run = sync.substreams, 0

    def _check(self, unit: AccessUnit) -> None:
        if not unit.header_ok and len(self.bad_headers) < MAX_KEPT:
            self.bad_headers.append(self.units)
        for segment in unit.checked:
            self.checks.add(self.units, segment)

    def finish(self) -> None:
        """Check what is left to check, after the last unit."""
        self.checks.finish()

    @property
    def has_objects(self) -> bool:
        """Whether there is a 16-channel presentation: Dolby Atmos."""
        return self.first is not None and self.first.has_objects

    @property
    def seconds(self) -> float:
        """How long the units play."""
        first = self.first
        return self.units * first.samples_per_unit / first.sample_rate if first else 0.0

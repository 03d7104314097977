"""Whether a run that says nothing is dead."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self


@dataclass(frozen=True, slots=True)
class Silence:
    """Proves nothing until a moment: after its own start the API waits one lease.

    While it was away nobody could renew a claim. ``proves_from`` is on the clock that no one sets:
    leases go by that of the database, and the wall clock of this machine may be another time.
    """

    proves_from: float

    @classmethod
    def proves_after(cls, wait: timedelta) -> Self:
        """Begin to wait."""
        return cls(time.monotonic() + wait.total_seconds())

    def is_proof(self) -> bool:
        """Whether an ended lease means a dead run."""
        return time.monotonic() >= self.proves_from

    def is_proof_from(self, now: datetime) -> datetime:
        """From when it does, on a clock that says that it is ``now``."""
        return now + timedelta(seconds=self.proves_from - time.monotonic())

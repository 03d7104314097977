"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from services.validator.profile import DEFAULT
from services.validator.sandbox import Limits
from shared.settings import ServiceSettings

_DEFAULTS = Limits()


class ValidatorSettings(ServiceSettings):
    """The delivery profile, a folder of more, and what one inspection may use: bytes, seconds.

    ``validator_confined`` may be switched off where the kernel has no seccomp.
    """

    delivery_profile: str = DEFAULT
    profiles_dir: Path | None = None
    validator_slots: PositiveInt = 1
    validator_memory_bytes: PositiveInt = _DEFAULTS.memory_bytes
    validator_resident_bytes: PositiveInt = _DEFAULTS.resident_bytes
    validator_confined: bool = _DEFAULTS.confined
    validator_cpu_seconds: PositiveInt = _DEFAULTS.cpu_seconds
    validator_wall_seconds: PositiveFloat = _DEFAULTS.wall_seconds
    validator_niceness: Annotated[int, Field(ge=0, le=19)] = _DEFAULTS.niceness

    def limits(self) -> Limits:
        """Return the sandbox's limits."""
        return Limits(
            memory_bytes=self.validator_memory_bytes,
            resident_bytes=self.validator_resident_bytes,
            confined=self.validator_confined,
            cpu_seconds=self.validator_cpu_seconds,
            wall_seconds=self.validator_wall_seconds,
            niceness=self.validator_niceness,
        )

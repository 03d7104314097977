"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from pydantic import PositiveInt

from services.validator.sandbox import Limits
from shared.settings import ServiceSettings

_DEFAULTS = Limits()


class ValidatorSettings(ServiceSettings):
    """The delivery profile, and what one inspection may use: bytes, seconds."""

    delivery_profile: str = "atmos"
    validator_slots: PositiveInt = 1
    validator_memory_bytes: int = _DEFAULTS.memory_bytes
    validator_cpu_seconds: int = _DEFAULTS.cpu_seconds
    validator_wall_seconds: float = _DEFAULTS.wall_seconds

    def limits(self) -> Limits:
        """Return the sandbox's limits."""
        return Limits(
            memory_bytes=self.validator_memory_bytes,
            cpu_seconds=self.validator_cpu_seconds,
            wall_seconds=self.validator_wall_seconds,
        )

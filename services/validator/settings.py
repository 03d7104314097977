"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.validator.sandbox import Limits

_DEFAULTS = Limits()


class ValidatorSettings(BaseSettings):
    """The delivery profile, and what one inspection may use: bytes, seconds."""

    model_config = SettingsConfigDict(env_prefix="STAGEDOOR_", frozen=True)

    delivery_profile: str = "atmos"
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

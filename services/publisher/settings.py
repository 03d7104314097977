"""What an operator can set: STAGEDOOR_ variables."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt

from services.publisher.messages import Limits
from shared.settings import ServiceSettings

_DEFAULTS = Limits()


class PublisherSettings(ServiceSettings):
    """What one publication may use: bytes, seconds.

    ``publisher_confined`` may be switched off where the kernel has no seccomp.
    """

    publisher_slots: PositiveInt = 1
    publisher_memory_bytes: PositiveInt = _DEFAULTS.memory_bytes
    publisher_resident_bytes: PositiveInt = _DEFAULTS.resident_bytes
    publisher_confined: bool = _DEFAULTS.confined
    publisher_cpu_seconds: PositiveInt = _DEFAULTS.cpu_seconds
    publisher_wall_seconds: PositiveFloat = _DEFAULTS.wall_seconds
    publisher_file_bytes: PositiveInt = _DEFAULTS.file_bytes

    def limits(self) -> Limits:
        """Return the sandbox's limits."""
        return Limits(
            memory_bytes=self.publisher_memory_bytes,
            resident_bytes=self.publisher_resident_bytes,
            confined=self.publisher_confined,
            cpu_seconds=self.publisher_cpu_seconds,
            wall_seconds=self.publisher_wall_seconds,
            file_bytes=self.publisher_file_bytes,
        )

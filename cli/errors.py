"""What ends a command with a line on stderr and exit code 1."""

from __future__ import annotations

from typing import Final

UNAVAILABLE: Final = "UNAVAILABLE"


class CommandError(Exception):
    """The command failed: ``reason`` is stable, ``detail`` one sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        """Take both; line breaks in the detail become blanks."""
        self.reason = reason
        self.detail = " ".join(detail.split())
        super().__init__(f"{reason}: {self.detail}")

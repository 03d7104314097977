"""What our errors have in common with nobody else's (AIP-193)."""

from __future__ import annotations

from typing import Final

DOMAIN: Final = "stagedoor.dev"
INTERNAL: Final = "INTERNAL"
METHOD_UNKNOWN: Final = "METHOD_UNKNOWN"

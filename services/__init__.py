"""The services: each owns its stage; none imports another."""

from __future__ import annotations

from shared.lean import without

# It would load rich, for tracebacks in colour: a tenth of the start of each process.
with without("rich"):
    import structlog  # noqa: F401 - so that it is loaded

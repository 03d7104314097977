"""Stacks of frames, as py-spy writes them, and the layer that each belongs to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first that a file's path begins with; what is in none of them counts for who called it.
LAYERS: Final = (
    ("asyncio/selector_events.py", "sockets: send and receive"),
    ("selectors.py", "sockets: send and receive"),
    ("asyncio/", "event loop"),
    ("aiohttp/", "aiohttp"),
    ("grpc/", "grpcio"),
    ("nats/", "nats-py"),
    ("sqlalchemy/", "SQLAlchemy"),
    ("asyncpg/", "asyncpg"),
    ("structlog/", "logs, metrics, traces"),
    ("opentelemetry/", "logs, metrics, traces"),
    ("prometheus_client/", "logs, metrics, traces"),
    ("shared/telemetry/", "logs, metrics, traces"),
    ("services/api/db/", "ours: rows, lookups, transactions"),
    ("services/api/domain/", "ours: rules"),
    ("services/api/use_cases/", "ours: use cases"),
    ("services/api/http/", "ours: HTTP door"),
    ("services/api/grpc/", "ours: gRPC door, messages"),
    ("services/api/", "ours: loops of the API"),
    ("shared/", "ours: bus, wire"),
)
_OTHER: Final = "other"
# Where the loop waits: no time of the processor's.
_WAITING: Final = "select (selectors.py"


def layers(raw: Iterable[str]) -> Counter[str]:
    """Samples by layer: of each stack the innermost frame that belongs to one.

    Lines are ``outermost;...;innermost count``; a frame is ``name (file:line)``.
    """
    found: Counter[str] = Counter()
    for line in raw:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if frames[-1].startswith(_WAITING):
            continue
        found[next(filter(None, map(_layer, reversed(frames))), _OTHER)] += int(count)
    return found


def _layer(frame: str) -> str | None:
    file = frame.rpartition("(")[2]
    return next((layer for path, layer in LAYERS if file.startswith(path)), None)

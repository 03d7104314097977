"""Counts and times for Prometheus, in the registry that the process shares."""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""The media type of what ``render_metrics`` gives."""

_SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RPCS: Final = Counter("stagedoor_rpcs", "Calls that have ended.", ("method", "code"))
RPC_SECONDS: Final = Histogram(
    "stagedoor_rpc_seconds",
    "How long calls took, streams included.",
    ("method",),
    buckets=_SECONDS,
)
DEAD_LETTERS: Final = Counter(
    "stagedoor_dead_letters",
    "Messages of the bus that were put aside, by what was wrong with them.",
    ("error",),
)


def render_metrics() -> bytes:
    """Everything that was counted, in the text format of Prometheus, as UTF-8."""
    return generate_latest()

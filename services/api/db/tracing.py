"""In which trace something is asked for."""

from __future__ import annotations

from typing import Final

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT: Final = "traceparent"
_propagator: Final = TraceContextTextMapPropagator()


def current_traceparent() -> str | None:
    """The present span as W3C Trace Context writes it (section 3.2); None outside of a trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(TRACEPARENT)

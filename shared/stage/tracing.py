"""Working in the trace of whoever asked for the work (W3C Trace Context)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from shared.bus.envelope import TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def span_in(traceparent: str, name: str) -> Iterator[None]:
    """A span in the trace that a message came in; meanwhile every log line names the trace."""
    parent = TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent})
    tracer = trace.get_tracer(__name__)
    with tracer.start_as_current_span(name, parent, trace.SpanKind.CONSUMER) as span:
        context = span.get_span_context()
        known = {"trace_id": trace.format_trace_id(context.trace_id)} if context.is_valid else {}
        with bound_contextvars(**known):
            yield

"""The trace that a call belongs to (W3C Trace Context)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import propagate, trace

if TYPE_CHECKING:
    from opentelemetry import context as spans

    from services.api.grpc.surround import Context


def callers(context: Context) -> spans.Context:
    """The trace that the caller's metadata name, if they name one."""
    metadata = context.invocation_metadata() or ()
    return propagate.extract({key: value for key, value in metadata if isinstance(value, str)})


def trace_id(context: Context) -> str:
    """The id of the call's trace in hexadecimal; empty if it belongs to none."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        found = trace.get_current_span(callers(context)).get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""

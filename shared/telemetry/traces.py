"""Traces: spans leave the process only if an operator says where to (OpenTelemetry's variables)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def configure_traces(
    service: str, environ: Mapping[str, str] = os.environ
) -> Callable[[], None] | None:
    """Send the spans of this service over OTLP, if one of ``ENDPOINTS`` is set.

    Gives what sends the rest and ends the sending, for the end of the process; None if there is
    nowhere to send to.
    """
    if not any(environ.get(name) for name in ENDPOINTS):
        return None
    # Late: they take as long to load as the rest of a service.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = environ.get("OTEL_SERVICE_NAME") or f"stagedoor-{service}"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown

"""What is seen of calls from outside: traces and metrics."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from grpc import StatusCode, aio
from opentelemetry import context as spans
from opentelemetry import trace

from services.api.grpc.mapping import OURS
from services.api.grpc.surround import Surround
from services.api.grpc.traces import callers
from shared.telemetry.metrics import RPC_SECONDS, RPCS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.grpc.surround import Context, Handler

_OUR_FAULT: Final = frozenset(
    {
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.UNIMPLEMENTED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)
"""The codes that make a server's span an error (OpenTelemetry's conventions for RPC)."""

_TRAVEL: Final = 0.1
"""Seconds that a request may travel. A caller's clock runs while it does, so a caller whose time is
over leaves that much before we see its deadline pass; what it sends then is a plain cancellation.
"""


class Observation(Surround):
    """A span for each call, in the trace that its metadata name (W3C Trace Context); and metrics.

    The names are few, whatever callers ask for: what nobody serves does not come here.
    """

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """All of our calls; those of probes would only be noise."""
        return method.startswith(OURS)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Begin the span; end it with the call's code, and count the call, when it has ended."""
        begun = perf_counter()
        name = method.removeprefix("/")
        service, _, rpc = name.partition("/")
        span = trace.get_tracer(__name__).start_span(
            name,
            callers(context),
            trace.SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": rpc},
        )
        # Never detached: it ends with the task of the call, and so may a stream that nobody reads.
        spans.attach(trace.set_span_in_context(span))

        def end(error: BaseException | None) -> None:
            code = _code(context, error)
            RPCS.labels(method, code.name).inc()
            RPC_SECONDS.labels(method).observe(perf_counter() - begun)
            span.set_attribute("rpc.grpc.status_code", code.value[0])
            if code in _OUR_FAULT:
                span.set_status(trace.StatusCode.ERROR)
            span.end()

        try:
            yield
        except BaseException as error:
            end(error)
            raise
        end(None)


def _code(context: Context, error: BaseException | None) -> StatusCode:
    if isinstance(error, (CancelledError, GeneratorExit)):
        # None without a deadline, of which grpc's types say nothing.
        left: Any = context.time_remaining()
        out_of_time = left is not None and left <= _TRAVEL
        return StatusCode.DEADLINE_EXCEEDED if out_of_time else StatusCode.CANCELLED
    if error is not None and not isinstance(error, aio.AbortError):
        return StatusCode.UNKNOWN
    # It is a plain 0 until somebody sets it.
    code: Any = context.code()
    return code if isinstance(code, StatusCode) else StatusCode.OK

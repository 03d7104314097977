"""Metrics and traces of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.error_details_pb2 import RequestInfo
from grpc import StatusCode, aio
from grpc_status import rpc_status
from opentelemetry import trace
from prometheus_client.parser import text_string_to_metric_families
from uuid_utils.compat import uuid7

from services.api.grpc import interceptors
from services.api.grpc.admission import Entrance
from services.api.grpc.interceptors import DeadlineCap
from services.api.grpc.mapping import ErrorMapping
from services.api.grpc.observation import Observation
from services.api.grpc.surround import Surroundings
from services.api.grpc.unknown import UnknownMethods
from services.api.limits import RateLimiter
from shared.telemetry.metrics import render_metrics
from stagedoor.v1.import_task_service_pb2 import WatchImportTaskRequest
from stagedoor.v1.track_service_pb2 import GetTrackRequest, ListTracksRequest
from tests.support.door import bearer, eventually, read_error, refused
from tests.support.spans import spans

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from tests.support.core import Core
    from tests.support.door import Door

TRACKS = "stagedoor.v1.TrackService"
__all__ = ["spans"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def count(name: str, **labels: str) -> float:
    """A sample of the metrics; 0 if there is none yet."""
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render_metrics().decode())
        for sample in family.samples
    }
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def ended(method: str, code: str) -> float:
    return count("stagedoor_rpcs_total", method=method, code=code)


async def list_tracks(door: Door, *more: tuple[str, str]) -> None:
    await door.tracks.ListTracks(ListTracksRequest(), metadata=(*door.admin, *more))


def test_the_order_is_that_of_the_contract(core: Core) -> None:
    made = interceptors.chain(core.use_cases.tokens, RateLimiter(1), 1.0, 1)
    unknown, all_else = made
    # Before all, so that made-up names fill no metrics.
    assert isinstance(unknown, UnknownMethods)
    assert isinstance(all_else, Surroundings)
    order = [type(each) for each in all_else.surrounds]
    assert order == [Observation, Entrance, ErrorMapping, DeadlineCap]


async def test_every_end_is_counted(door: Door) -> None:
    get, list_ = f"/{TRACKS}/GetTrack", f"/{TRACKS}/ListTracks"
    before = [ended(list_, "OK"), ended(get, "NOT_FOUND"), ended(list_, "UNAUTHENTICATED")]
    timed = count("stagedoor_rpc_seconds_count", method=list_)
    await list_tracks(door)
    request = GetTrackRequest(name=f"tracks/{uuid7()}")
    await refused(door.tracks.GetTrack(request, metadata=door.admin))
    await refused(door.tracks.ListTracks(ListTracksRequest(), metadata=bearer("x")))
    after = [ended(list_, "OK"), ended(get, "NOT_FOUND"), ended(list_, "UNAUTHENTICATED")]
    assert after == [number + 1 for number in before]
    assert count("stagedoor_rpc_seconds_count", method=list_) == timed + 2


@pytest.mark.parametrize("code", ["CANCELLED", "DEADLINE_EXCEEDED"])
async def test_a_stream_that_its_client_leaves_is_counted(
    door: Door, core: Core, code: str
) -> None:
    method = "/stagedoor.v1.ImportTaskService/WatchImportTask"
    before = ended(method, code)
    request = WatchImportTaskRequest(name=f"importTasks/{(await core.task()).id}")
    timeout = 1.5 if code == "DEADLINE_EXCEEDED" else None
    call = door.tasks.WatchImportTask(request, metadata=door.admin, timeout=timeout)
    await call.read()
    if timeout is None:
        call.cancel()
    await eventually(lambda: ended(method, code) == before + 1)


async def test_a_call_is_a_span_of_its_caller_s_trace(
    door: Door, spans: InMemorySpanExporter
) -> None:
    await list_tracks(door, ("traceparent", f"00-{TRACE}-{PARENT}-01"))
    # The client may have its answer before the server's span ends.
    await eventually(lambda: bool(spans.get_finished_spans()))
    [span] = spans.get_finished_spans()
    assert span.name == f"{TRACKS}/ListTracks"
    assert span.kind is trace.SpanKind.SERVER
    assert span.parent is not None
    assert trace.format_trace_id(span.context.trace_id) == TRACE
    assert trace.format_span_id(span.parent.span_id) == PARENT
    assert dict(span.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": TRACKS,
        "rpc.method": "ListTracks",
        "rpc.grpc.status_code": 0,
    }
    assert span.status.is_unset


async def test_a_refusal_is_no_error_of_ours(door: Door, spans: InMemorySpanExporter) -> None:
    await refused(door.tracks.ListTracks(ListTracksRequest(), metadata=bearer("x")))
    # The client may have its answer before the server's span ends.
    await eventually(lambda: bool(spans.get_finished_spans()))
    [span] = spans.get_finished_spans()
    assert (span.attributes or {})["rpc.grpc.status_code"] == StatusCode.UNAUTHENTICATED.value[0]
    assert span.status.is_unset


@pytest.mark.parametrize("method", ["GetTrack", "ListTracks", "Nope"])
async def test_an_error_names_the_trace_of_its_call(door: Door, method: str) -> None:
    """Also that of a call that nobody let in, and of a method that there is not."""
    call: Any = door.channel.unary_unary(f"/{TRACKS}/{method}")
    who = bearer("x") if method == "ListTracks" else door.admin
    parent = ("traceparent", f"00-{TRACE}-{PARENT}-01")
    assert await request_of(call(b"", metadata=(*who, parent))) == TRACE
    assert await request_of(call(b"", metadata=who)) is None


async def test_an_error_names_the_trace_that_began_with_its_call(
    door: Door, spans: InMemorySpanExporter
) -> None:
    call = door.tracks.ListTracks(ListTracksRequest(), metadata=bearer("x"))
    told = await request_of(call)
    await eventually(lambda: bool(spans.get_finished_spans()))
    [span] = spans.get_finished_spans()
    assert told == trace.format_trace_id(span.context.trace_id)


async def request_of(call: Awaitable[Any]) -> str | None:
    """What RequestInfo calls the request that must be refused; None without a RequestInfo."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert read_error(caught.value).reason
    error: Any = caught.value
    found, status = RequestInfo(), rpc_status.from_call(error)
    assert status is not None
    return next((found.request_id for each in status.details if each.Unpack(found)), None)


async def test_an_end_by_the_server_is_an_error(
    door: Door, core: Core, spans: InMemorySpanExporter
) -> None:
    request = WatchImportTaskRequest(name=f"importTasks/{(await core.task()).id}")
    call = door.tasks.WatchImportTask(request, metadata=door.admin)
    await call.read()
    await door.server.stop(grace=5)
    # The client may have its answer before the server's span ends.
    await eventually(lambda: bool(spans.get_finished_spans()))
    [span] = spans.get_finished_spans()
    assert (span.attributes or {})["rpc.grpc.status_code"] == StatusCode.UNAVAILABLE.value[0]
    assert span.status.status_code is trace.StatusCode.ERROR

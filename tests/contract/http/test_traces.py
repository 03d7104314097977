"""Traces of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from opentelemetry import trace
from sqlalchemy import text

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from tests.support.jsonapi import Client, serving
from tests.support.spans import spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from tests.support.core import Core

__all__ = ["spans"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


async def _ready() -> bool:
    return True


@pytest.fixture
async def client(core: Core) -> AsyncIterator[Client]:
    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(make_app(core.use_cases, public_url=None, ready=_ready)) as session:
        yield Client(session, token)


def _only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    spans.clear()
    return span


async def test_a_request_has_a_span_in_the_trace_of_its_client(
    client: Client, spans: InMemorySpanExporter
) -> None:
    id_ = uuid4()
    answer = await client.request("GET", f"/tracks/{id_}?include=x", traceparent=HEADER)
    span = _only(spans)
    assert span.name == "GET /api/v1/tracks/{id}"
    assert span.kind is trace.SpanKind.SERVER
    assert span.parent is not None
    assert trace.format_trace_id(span.parent.trace_id) == TRACE
    assert trace.format_span_id(span.parent.span_id) == PARENT
    assert answer.status == 400
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/tracks/{id}",
        "url.path": f"/api/v1/tracks/{id_}",
        "url.scheme": "http",
        "http.response.status_code": 400,
    }
    assert span.status.status_code is trace.StatusCode.UNSET, "the client's fault is none of ours"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("PATCH", "/tracks", "PATCH"),
        ("GET", "/nowhere", "GET"),
        ("PROPFIND", "/tracks", "HTTP"),
    ],
)
async def test_spans_have_few_names(
    client: Client, spans: InMemorySpanExporter, method: str, path: str, name: str
) -> None:
    await client.request(method, path)
    span = _only(spans)
    assert (span.name, span.parent) == (name, None)
    attributes = span.attributes or {}
    assert "http.route" not in attributes
    assert attributes["http.request.method"] == ("_OTHER" if name == "HTTP" else method)


async def test_a_fault_of_ours_is_an_error(
    core: Core, client: Client, spans: InMemorySpanExporter
) -> None:
    drop = text("DROP TABLE records")
    await core.use_cases.executor.write(lambda transaction: transaction.connection.execute(drop))
    answer = await client.get("/records")
    span = _only(spans)
    assert answer.status >= 500
    assert span.status.status_code is trace.StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == str(answer.status)


async def test_of_several_traces_none_is_believed(
    client: Client, spans: InMemorySpanExporter
) -> None:
    headers = [("Authorization", f"Bearer {client.token}"), *[("traceparent", HEADER)] * 2]
    async with client.session.get("/api/v1/tracks", headers=headers) as answer:
        assert answer.status == 200
    assert _only(spans).parent is None


async def test_requests_on_one_connection_do_not_share_a_span(
    client: Client, spans: InMemorySpanExporter
) -> None:
    for _ in range(2):
        await client.get("/tracks")
    assert [span.parent for span in spans.get_finished_spans()] == [None, None]


async def test_probes_have_no_span(client: Client, spans: InMemorySpanExporter) -> None:
    async with client.session.get("/healthz") as answer:
        assert answer.status == 200
    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize("header", ["nonsense", f"{HEADER[:-1]}", HEADER.replace(TRACE, "0" * 32)])
async def test_a_trace_that_is_none_begins_a_new_one(
    client: Client, spans: InMemorySpanExporter, header: str
) -> None:
    assert (await client.request("GET", "/tracks", traceparent=header)).status == 200
    assert _only(spans).parent is None

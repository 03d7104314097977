"""The trace of a request goes with its task to the worker, over the broker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from opentelemetry import context as spans
from opentelemetry import propagate, trace
from structlog.contextvars import get_contextvars

from services.api.domain.principal import SCOPES
from services.api.http.server import make_app
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task, serving
from tests.support.scripted import ScriptedStage, working

if TYPE_CHECKING:
    from shared.stage.job import Job, Outcome, Progress
    from tests.integration.messages.conftest import Loops
    from tests.support.core import Core
    from tests.support.nats import NatsServer

TRACE_ID = "a" * 32
TRACEPARENT = f"00-{TRACE_ID}-{'1' * 16}-01"


class TracedStage(ScriptedStage):
    """Tells in which trace it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.traces: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    async def run(self, job: Job, progress: Progress) -> Outcome:
        span = trace.get_current_span().get_span_context()
        logged = get_contextvars().get("trace_id")
        self.traces.put_nowait((trace.format_trace_id(span.trace_id), logged))
        return await super().run(job, progress)


async def test_the_worker_works_and_logs_in_the_trace_of_the_request(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    token = spans.attach(propagate.extract({"traceparent": TRACEPARENT}))
    await core.task()
    spans.detach(token)
    stage = TracedStage()
    async with loops.running(), working(nats_server, stage):
        assert await asyncio.wait_for(stage.traces.get(), 10) == (TRACE_ID, TRACE_ID)


async def test_the_trace_of_a_request_over_http_goes_there_too(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    async def ready() -> bool:
        return True

    token = await core.use_cases.tokens.issue("default", "test", SCOPES)
    async with serving(make_app(core.use_cases, public_url=None, ready=ready)) as session:
        client = Client(session, token)
        body = msgspec.json.encode(new_task(await client.create_track()))
        answer = await client.request(
            "POST", "/atmos-import-tasks", body, traceparent=TRACEPARENT, Content_Type=MEDIA_TYPE
        )
    assert answer.status == 201
    stage = TracedStage()
    async with loops.running(), working(nats_server, stage):
        assert await asyncio.wait_for(stage.traces.get(), 10) == (TRACE_ID, TRACE_ID)


async def test_without_a_trace_none_is_logged(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await core.task()
    stage = TracedStage()
    async with loops.running(), working(nats_server, stage):
        assert await asyncio.wait_for(stage.traces.get(), 10) == ("0" * 32, None)

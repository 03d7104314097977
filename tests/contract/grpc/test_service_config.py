"""The published service config: which calls clients may send again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc import StatusCode, aio

from cli.client import KEYED, READS, SERVICE_CONFIG, method_config
from services.api.grpc.server import SERVICES

PUBLISHED = Path(__file__).parents[3] / "proto/stagedoor/v1/service_config.json"
METHOD = "/stagedoor.v1.TrackService/GetTrack"


class Flaky(aio.ServerInterceptor):
    """Fails the first two calls of any method."""

    def __init__(self) -> None:
        self.calls = 0

    async def intercept_service(self, _: Any, details: Any) -> Any:
        async def behave(_: Any, context: Any) -> bytes:
            self.calls += 1
            if self.calls < 3:
                await context.abort(StatusCode.UNAVAILABLE)
            return b""

        assert details.method
        return grpc.unary_unary_rpc_method_handler(behave)


def test_the_published_config_is_the_command_s() -> None:
    assert json.loads(PUBLISHED.read_text()) == {"methodConfig": [method_config(READS)]}


def test_only_calls_that_change_nothing_are_in_it() -> None:
    methods = {
        (service, method.name)
        for service in SERVICES
        for method in descriptor_pool.Default().FindServiceByName(service).methods
    }
    reads = {(service, method) for service in READS for method in READS[service]}
    assert reads == {m for m in methods if m[1].startswith(("Get", "List"))}
    keyed = {(service, method) for service in KEYED for method in KEYED[service]}
    assert keyed <= methods


@pytest.mark.parametrize("published", [True, False])
async def test_a_channel_obeys_it(published: bool) -> None:  # noqa: FBT001 - a parameter of the test
    config = PUBLISHED.read_text() if published else json.dumps(SERVICE_CONFIG)
    flaky = Flaky()
    server = aio.server(interceptors=[flaky])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = [("grpc.service_config", config)]
    async with aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        call: Any = channel.unary_unary(METHOD)
        assert await call(b"") == b""
    await server.stop(grace=0)
    assert flaky.calls == 3

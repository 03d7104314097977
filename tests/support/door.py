"""The real gRPC server over the real use cases, and a client for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_status import rpc_status

from services.api.grpc.codes import DOMAIN
from services.api.grpc.server import GrpcServer, serve
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.record_service_pb2_grpc import RecordServiceStub
from stagedoor.v1.subscription_service_pb2_grpc import SubscriptionServiceStub
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceAsyncStub
    from stagedoor.v1.record_service_pb2_grpc import RecordServiceAsyncStub
    from stagedoor.v1.subscription_service_pb2_grpc import SubscriptionServiceAsyncStub
    from stagedoor.v1.track_service_pb2_grpc import TrackServiceAsyncStub
    from tests.support.core import Core

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Door:
    """A server, a channel to it, and the metadata of somebody who may do everything."""

    core: Core
    server: GrpcServer
    channel: aio.Channel
    token: str
    tasks: ImportTaskServiceAsyncStub
    tracks: TrackServiceAsyncStub
    records: RecordServiceAsyncStub
    subscriptions: SubscriptionServiceAsyncStub

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"127.0.0.1:{self.server.port}"

    @property
    def health(self) -> Any:
        """The stub of the health service, whose types know no asyncio."""
        return health_pb2_grpc.HealthStub(self.channel)

    @property
    def reflection(self) -> Any:
        """The stub of the reflection service, whose types know no asyncio."""
        channel: Any = self.channel
        return reflection_pb2_grpc.ServerReflectionStub(channel)

    @property
    def admin(self) -> Metadata:
        """The metadata of the tenant's administrator."""
        return bearer(self.token)

    async def holder(self, *scopes: str, tenant: str = "default") -> Metadata:
        """The metadata of somebody else."""
        return bearer(await self.core.use_cases.tokens.issue(tenant, "test", scopes))


@dataclass(frozen=True, slots=True)
class Refused:
    """How a call was refused, its google.rpc details by type."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    resource: tuple[str, str] = ("", "")
    retry_seconds: int = 0


def bearer(token: str) -> Metadata:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


async def refused(call: Awaitable[Any]) -> Refused:
    """Await a call that must be refused; its status must carry exactly one ErrorInfo of ours."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return read_error(caught.value)


def read_error(error: Any) -> Refused:
    """The refusal in an AioRpcError."""
    status = rpc_status.from_call(error)
    assert status is not None, f"no google.rpc.Status: {error.code()}: {error.details()}"
    found = {detail.TypeName().rpartition(".")[2]: detail for detail in status.details}
    assert len(found) == len(status.details), "a detail came twice"

    def unpack(name: str) -> Any:
        message = getattr(error_details_pb2, name)()
        if name in found:
            found[name].Unpack(message)
        return message

    info = unpack("ErrorInfo")
    assert info.domain == DOMAIN
    resource = unpack("ResourceInfo")
    return Refused(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        metadata=dict(info.metadata),
        fields={v.field: v.reason for v in unpack("BadRequest").field_violations},
        resource=(resource.resource_type, resource.resource_name),
        retry_seconds=unpack("RetryInfo").retry_delay.seconds,
    )


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells of."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_door(core: Core, **limits: Any) -> AsyncIterator[Door]:
    """Serve the core on a port of the system's choice."""
    server = await serve(core.use_cases, "127.0.0.1:0", **limits)
    try:
        await server.set_ready(ready=True)
        token = await core.use_cases.tokens.issue("default", "admin", ["admin"])
        async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stubs = (
                ImportTaskServiceStub(channel),
                TrackServiceStub(channel),
                RecordServiceStub(channel),
                SubscriptionServiceStub(channel),
            )
            yield Door(core, server, channel, token, *stubs)
    finally:
        await server.stop(grace=0)

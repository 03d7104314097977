"""Publishing the masters of a system over gRPC, by somebody who does not give up either."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID, uuid4

import grpc
from grpc import aio

from stagedoor.v1.publication_service_pb2 import (
    CreatePublicationRequest,
    GetPublicationRequest,
    Publication,
)
from stagedoor.v1.publication_service_pb2_grpc import PublicationServiceStub
from stagedoor.v1.publish_job_service_pb2 import (
    CreatePublishJobRequest,
    GetPublishJobRequest,
    PublishJob,
    RunPublishJobRequest,
)
from stagedoor.v1.publish_job_service_pb2_grpc import PublishJobServiceStub
from tests.support.faults.client import PATIENCE_SECONDS, POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faults.system import System

FORMATS: Final = ("mp3", "flac")
FINAL: Final = {Publication.STATE_PUBLISHED, Publication.STATE_PUBLISH_FAILED}
_AWAY: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_ATTEMPT_SECONDS: Final = 15.0


class Publisher:
    """Asks all replicas in turn; what got no answer is asked again, with the same request id."""

    def __init__(self, system: System) -> None:
        """Ask in the name of this system's token."""
        self._addresses = system.grpc
        self._as_us = (("authorization", f"Bearer {system.token}"),)
        self._turns = count()

    async def __aenter__(self) -> Self:
        """Open a channel to each replica."""
        async with AsyncExitStack() as opened:
            self._channels = [
                await opened.enter_async_context(aio.insecure_channel(address))
                for address in self._addresses
            ]
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._opened.aclose()

    async def start(self, task_id: UUID) -> str:
        """Publish a task's master in a job of its own; gives the publication's name."""
        job: PublishJob = await self._ask(
            lambda channel: PublishJobServiceStub(channel).CreatePublishJob,
            CreatePublishJobRequest(request_id=str(uuid4())),
        )
        wanted = Publication(
            publish_job=job.name, import_task=f"importTasks/{task_id}", formats=FORMATS
        )
        made: Publication = await self._ask(
            lambda channel: PublicationServiceStub(channel).CreatePublication,
            CreatePublicationRequest(publication=wanted, request_id=str(uuid4())),
        )
        await self._ask(
            lambda channel: PublishJobServiceStub(channel).RunPublishJob,
            RunPublishJobRequest(name=job.name, request_id=str(uuid4())),
        )
        return made.name

    async def ended(self, name: str, within: float = PATIENCE_SECONDS) -> Publication:
        """Wait until a publication is final."""
        async with asyncio.timeout(within):
            while True:
                found = await self._get(name)
                if found.state in FINAL:
                    return found
                await asyncio.sleep(POLL_SECONDS)

    async def published(self, name: str) -> Publication:
        """Wait until a publication is made well, and its job has counted it once."""
        found = await self.ended(name, 2 * PATIENCE_SECONDS)
        assert found.state == Publication.STATE_PUBLISHED, found
        job: PublishJob = await self._ask(
            lambda channel: PublishJobServiceStub(channel).GetPublishJob,
            GetPublishJobRequest(name=found.publish_job),
        )
        assert (job.queued_count, job.publishing_count, job.complete_count) == (0, 0, 1)
        return found

    async def _get(self, name: str) -> Publication:
        found: Publication = await self._ask(
            lambda channel: PublicationServiceStub(channel).GetPublication,
            GetPublicationRequest(name=name),
        )
        return found

    async def _ask(self, method: Callable[[aio.Channel], Any], request: object) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            channel = self._channels[next(self._turns) % len(self._channels)]
            try:
                return await method(channel)(
                    request, metadata=self._as_us, timeout=_ATTEMPT_SECONDS
                )
            except aio.AioRpcError as error:
                if error.code() not in _AWAY or time.monotonic() > until:
                    raise
            await asyncio.sleep(POLL_SECONDS)

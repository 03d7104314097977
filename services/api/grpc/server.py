"""The gRPC server: our services, health and reflection on one port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.api.grpc import catalogue
from services.api.grpc.audit import AuditServicer
from services.api.grpc.import_tasks import ImportTaskServicer
from services.api.grpc.interceptors import MAX_SECONDS, chain
from services.api.grpc.jobs import JobServicer
from services.api.grpc.mapping import MAX_BATCH_BYTES
from services.api.grpc.publications import PublicationServicer
from services.api.grpc.publish_jobs import PublishJobServicer
from services.api.grpc.records import RecordServicer
from services.api.grpc.settings import SettingsServicer
from services.api.grpc.subscriptions import SubscriptionServicer
from services.api.grpc.upload_sessions import UploadSessionServicer
from services.api.grpc.upload_tracks import UploadTrackServicer
from services.api.grpc.uploads import UploadServicer
from services.api.grpc.validation_reports import ValidationReportServicer
from stagedoor.v1 import (
    audit_service_pb2,
    import_task_service_pb2,
    job_service_pb2,
    publication_service_pb2,
    publish_job_service_pb2,
    record_service_pb2,
    settings_service_pb2,
    subscription_service_pb2,
    upload_service_pb2,
    upload_session_service_pb2,
    upload_track_service_pb2,
    validation_report_service_pb2,
)
from stagedoor.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from stagedoor.v1.import_task_service_pb2_grpc import add_ImportTaskServiceServicer_to_server
from stagedoor.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from stagedoor.v1.publication_service_pb2_grpc import add_PublicationServiceServicer_to_server
from stagedoor.v1.publish_job_service_pb2_grpc import add_PublishJobServiceServicer_to_server
from stagedoor.v1.record_service_pb2_grpc import add_RecordServiceServicer_to_server
from stagedoor.v1.settings_service_pb2_grpc import add_SettingsServiceServicer_to_server
from stagedoor.v1.subscription_service_pb2_grpc import (
    add_SubscriptionServiceServicer_to_server,
)
from stagedoor.v1.upload_service_pb2_grpc import add_UploadServiceServicer_to_server
from stagedoor.v1.upload_session_service_pb2_grpc import (
    add_UploadSessionServiceServicer_to_server,
)
from stagedoor.v1.upload_track_service_pb2_grpc import add_UploadTrackServiceServicer_to_server
from stagedoor.v1.validation_report_service_pb2_grpc import (
    add_ValidationReportServiceServicer_to_server,
)

if TYPE_CHECKING:
    from services.api.grpc.tls import Tls
    from services.api.limits import RateLimiter
    from services.api.use_cases.use_cases import UseCases

MAX_METADATA_BYTES: Final = 8 * 1024
MAX_CONCURRENT_RPCS: Final = 1000
HEADROOM: Final = 100
"""More calls that gRPC takes: probes, and those that are just being refused."""
GRACE_SECONDS: Final = 5.0

SERVICES: Final = tuple(
    service.full_name
    for file in (
        import_task_service_pb2,
        *catalogue.FILES,
        publish_job_service_pb2,
        publication_service_pb2,
        record_service_pb2,
        audit_service_pb2,
        settings_service_pb2,
        subscription_service_pb2,
        upload_service_pb2,
        upload_session_service_pb2,
        upload_track_service_pb2,
        job_service_pb2,
        validation_report_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
)
OPTIONS: Final = (
    # Of a batch; other requests may have less, which is checked where errors are mapped.
    ("grpc.max_receive_message_length", MAX_BATCH_BYTES),
    # Both: between the two, requests would be refused at random.
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # A second server on our port must fail, not share it.
    ("grpc.so_reuseport", 0),
    # Find dead clients of quiet watches, and let clients look for a dead server as often.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Let clients find new replicas; watches have the grace to end, and are begun again.
    ("grpc.max_connection_age_ms", 60 * 60_000),
    ("grpc.max_connection_age_grace_ms", 10 * 60_000),
)


class GrpcServer:
    """A running server; ``port`` is the one it listens on."""

    def __init__(
        self,
        server: aio.Server,
        health_: health.aio.HealthServicer,
        stopping: asyncio.Event,
        port: int,
    ) -> None:
        """Hold what ``serve`` has built."""
        self._server = server
        self._health = health_
        self._stopping = stopping
        self.port = port

    async def set_ready(self, *, ready: bool) -> None:
        """Tell health checks whether calls can be served; they cannot at first."""
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def stop(self, grace: float = GRACE_SECONDS) -> None:
        """End the watches, let other calls finish for ``grace`` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        self._stopping.set()
        await self._server.stop(grace)


async def serve(
    use_cases: UseCases,
    listen: str,
    *,
    max_seconds: float = MAX_SECONDS,
    max_concurrent_rpcs: int = MAX_CONCURRENT_RPCS,
    limiter: RateLimiter | None = None,
    tls: Tls | None = None,
) -> GrpcServer:
    """Serve the use cases at ``host:port``, port 0 for any; RuntimeError if that is taken.

    Not ready at first. A call with a single answer may take ``max_seconds``; calls over
    ``max_concurrent_rpcs`` are answered RESOURCE_EXHAUSTED, as are those that the limiter refuses.
    """
    stopping = asyncio.Event()
    server = aio.server(
        interceptors=chain(use_cases.tokens, limiter, max_seconds, max_concurrent_rpcs),
        options=OPTIONS,
        maximum_concurrent_rpcs=max_concurrent_rpcs + HEADROOM,
    )
    _add_services(server, use_cases, stopping)
    health_ = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_, server)
    names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    running = GrpcServer(server, health_, stopping, _open(server, listen, tls))
    await running.set_ready(ready=False)
    await server.start()
    return running


def _add_services(server: aio.Server, use_cases: UseCases, stopping: asyncio.Event) -> None:
    tasks = ImportTaskServicer(use_cases.import_tasks, use_cases.watching, stopping)
    add_ImportTaskServiceServicer_to_server(tasks, server)
    catalogue.add_services(server, use_cases.catalogue.values(), use_cases.covers)
    add_PublishJobServiceServicer_to_server(PublishJobServicer(use_cases.publish_jobs), server)
    publications = PublicationServicer(use_cases.publications, use_cases.links)
    add_PublicationServiceServicer_to_server(publications, server)
    records = RecordServicer(use_cases.records, use_cases.links)
    add_RecordServiceServicer_to_server(records, server)
    add_AuditServiceServicer_to_server(AuditServicer(use_cases.audit), server)
    add_SettingsServiceServicer_to_server(SettingsServicer(use_cases.settings), server)
    subscriptions = SubscriptionServicer(use_cases.subscriptions, use_cases.deliveries)
    add_SubscriptionServiceServicer_to_server(subscriptions, server)
    add_UploadServiceServicer_to_server(UploadServicer(use_cases.uploads), server)
    add_UploadSessionServiceServicer_to_server(UploadSessionServicer(use_cases), server)
    tracks = UploadTrackServicer(use_cases.upload_tracks)
    add_UploadTrackServiceServicer_to_server(tracks, server)
    add_JobServiceServicer_to_server(JobServicer(use_cases.jobs), server)
    reports = ValidationReportServicer(use_cases.reports)
    add_ValidationReportServiceServicer_to_server(reports, server)


def _open(server: aio.Server, listen: str, tls: Tls | None) -> int:
    if tls is None:
        return server.add_insecure_port(listen)
    return server.add_secure_port(listen, tls.credentials())

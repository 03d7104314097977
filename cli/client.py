"""The gRPC client of the commands: one channel, the token on every call, errors as one line."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import uuid4

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from cli.errors import UNAVAILABLE, CommandError
from cli.location import Location, locate
from cli.streams import read
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceStub
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.record_service_pb2_grpc import RecordServiceStub
from stagedoor.v1.settings_service_pb2_grpc import SettingsServiceStub
from stagedoor.v1.subscription_service_pb2_grpc import SubscriptionServiceStub
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub
from stagedoor.v1.validation_report_service_pb2_grpc import ValidationReportServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SECURE: Final = "https://"
TIMEOUT_SECONDS: Final = 30.0
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
RETRY_POLICY: Final = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": [UNAVAILABLE],
}
# The catalogue's.
NOUNS: Final = (
    *("Distributor", "Product", "Track", "Video"),
    *("AssetAttachment", "Collection", "Creator"),
)
# Calls that change nothing; as published in proto/stagedoor/v1/service_config.json.
READS: Final = {
    "stagedoor.v1.ImportTaskService": ("ListImportTasks", "GetImportTask"),
    **{f"stagedoor.v1.{noun}Service": (f"List{noun}s", f"Get{noun}") for noun in NOUNS},
    "stagedoor.v1.RecordService": ("ListRecords", "GetRecord"),
    "stagedoor.v1.PublishJobService": ("ListPublishJobs", "GetPublishJob"),
    "stagedoor.v1.PublicationService": ("ListPublications", "GetPublication"),
    "stagedoor.v1.AuditService": ("ListAuditEntries",),
    "stagedoor.v1.SettingsService": ("GetSettings",),
    "stagedoor.v1.SubscriptionService": (
        *("ListSubscriptions", "GetSubscription"),
        *("ListDeliveries", "GetDelivery"),
    ),
    "stagedoor.v1.UploadService": ("ListUploads", "GetUpload"),
    "stagedoor.v1.UploadSessionService": ("ListUploadSessions", "GetUploadSession"),
    "stagedoor.v1.UploadTrackService": ("ListUploadTracks", "GetUploadTrack"),
    "stagedoor.v1.JobService": ("ListJobs", "GetJob"),
    "stagedoor.v1.ValidationReportService": ("GetValidationReport",),
}
# Calls that we never send without a request_id: however often they arrive, they are done once.
KEYED: Final = {
    "stagedoor.v1.ImportTaskService": ("CreateImportTask", "RetryImportTask"),
    "stagedoor.v1.TrackService": ("CreateTrack",),
    "stagedoor.v1.SubscriptionService": (
        *("CreateSubscription", "RotateSubscriptionSecret"),
        *("PingSubscription", "ReplayDelivery"),
    ),
}


def method_config(methods: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """The part of a gRPC service config that lets methods, by service, be tried again."""
    names = [{"service": s, "method": m} for s, named in methods.items() for m in named]
    return {"name": names, "timeout": f"{TIMEOUT_SECONDS:.0f}s", "retryPolicy": RETRY_POLICY}


SERVICE_CONFIG: Final = {"methodConfig": [method_config(READS), method_config(KEYED)]}
OPTIONS: Final = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
)

Req = TypeVar("Req")
Res = TypeVar("Res")


class Client:
    """Calls to one server."""

    def __init__(self, channel: grpc.Channel, location: Location) -> None:
        """Use this channel to the location."""
        self.tasks = ImportTaskServiceStub(channel)
        self.tracks = TrackServiceStub(channel)
        self.records = RecordServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.settings = SettingsServiceStub(channel)
        self.subscriptions = SubscriptionServiceStub(channel)
        self.reports = ValidationReportServiceStub(channel)
        self._location = location
        self._metadata = (("authorization", f"Bearer {location.token}"),)

    def call(self, method: grpc.UnaryUnaryMultiCallable[Req, Res], request: Req) -> Res:
        """Call and wait for the answer; raises CommandError."""
        try:
            return method(request, timeout=TIMEOUT_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._failure(error) from None

    def stream(
        self, method: grpc.UnaryStreamMultiCallable[Req, Res], request: Req
    ) -> Iterator[Res]:
        """Call and hand on the answers as they come; raises CommandError."""
        try:
            yield from read(lambda: method(request, metadata=self._metadata))
        except grpc.RpcError as error:
            raise self._failure(error) from None

    def _failure(self, error: grpc.RpcError) -> CommandError:
        # Every error of a synchronous channel is the call as well.
        call = cast("Any", error)
        status = rpc_status.from_call(call)
        for detail in status.details if status else ():
            info = ErrorInfo()
            if detail.Unpack(info):
                return CommandError(info.reason, status.message)
        if call.code() is grpc.StatusCode.UNAVAILABLE:
            return CommandError(UNAVAILABLE, f"No server answers at {self._location.server}.")
        return CommandError(call.code().name, call.details() or "The call failed.")


@contextmanager
def connect() -> Iterator[Client]:
    """A client of the server that ``locate`` finds."""
    location = locate()
    with _channel(location.server) as channel:
        yield Client(channel, location)


def request_id() -> str:
    """A key that no other request has, so that this one is done once."""
    return str(uuid4())


def _channel(server: str) -> grpc.Channel:
    """A channel to ``host:port``, or with TLS to ``https://host:port``.

    gRPC itself reads GRPC_DEFAULT_SSL_ROOTS_FILE_PATH for other roots than the usual ones.
    """
    if not server.startswith(SECURE):
        return grpc.insecure_channel(server, OPTIONS)
    target = server.removeprefix(SECURE).rstrip("/")
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(), OPTIONS)


def resource_name(collection: str, text: str) -> str:
    """What a user wrote, an id or a whole name, as a name."""
    return text if "/" in text else f"{collection}/{text}"

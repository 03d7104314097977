"""The gRPC client of the commands: one channel, the token on every call, errors as one line."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from cli.errors import UNAVAILABLE, CommandError
from cli.location import Location, locate
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS: Final = 30.0
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
# Only calls that change nothing: a create whose answer is lost must not happen twice.
REPEATABLE: Final = {
    "stagedoor.v1.ImportTaskService": ("ListImportTasks", "GetImportTask"),
    "stagedoor.v1.TrackService": ("ListTracks", "GetTrack"),
}
SERVICE_CONFIG: Final = {
    "methodConfig": [
        {
            "name": [
                {"service": service, "method": method}
                for service, methods in REPEATABLE.items()
                for method in methods
            ],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": [UNAVAILABLE],
            },
        }
    ]
}
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
        answers = method(request, metadata=self._metadata)
        try:
            yield from answers
        except grpc.RpcError as error:
            raise self._failure(error) from None
        finally:
            answers.cancel()

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
    with grpc.insecure_channel(location.server, OPTIONS) as channel:
        yield Client(channel, location)


def resource_name(collection: str, text: str) -> str:
    """What a user wrote, an id or a whole name, as a name."""
    return text if "/" in text else f"{collection}/{text}"

"""gRPC calls with whatever bytes, and no stub that would look at them first."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

    from tests.fuzz.grpc_strategies import Metadata

    Ask = grpc.UnaryUnaryMultiCallable[bytes, bytes]
    Watch = grpc.UnaryStreamMultiCallable[bytes, bytes]

SECONDS = 15.0
ANSWER_BYTES = 1 << 16
STREAM_SECONDS = 0.05
"""How long a watch may stay silent: it has no end of its own."""


def call(
    channel: grpc.Channel, method: MethodDescriptor, raw: bytes, metadata: Metadata
) -> grpc.StatusCode:
    """Send a request as it is; gives the status, of a stream that after its first message."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            watch: Watch = channel.unary_stream(path)
            stream = watch(raw, timeout=STREAM_SECONDS, metadata=metadata)
            next(stream, None)
            stream.cancel()
        else:
            ask: Ask = channel.unary_unary(path)
            ask(raw, timeout=SECONDS, metadata=metadata)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def converse(port: int, raw: bytes, seconds: float) -> None:
    """Send bytes and give the server so many seconds to say something."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.settimeout(seconds)
        # It may hang up at once, or wait for more.
        with suppress(TimeoutError, ConnectionError):
            connection.sendall(raw)
            while connection.recv(ANSWER_BYTES):
                pass

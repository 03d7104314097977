"""Ask a running API on this machine whether it serves: exit 0 if it does, 1 if not.

``python -m services.api.healthcheck`` is for the health checks of containers, run inside them.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.api.settings import ApiSettings

TIMEOUT_SECONDS = 3.0
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - not bound here


def target(listen: str) -> str:
    """Where to reach what listens at ``host:port``."""
    host, _, port = listen.rpartition(":")
    return f"{WILDCARDS.get(urlsplit(f'//{listen}').hostname or '', host)}:{port}"


def serves(address: str) -> bool:
    """Whether the gRPC server at ``host:port`` says that it serves."""
    with grpc.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined] # stubs lack it
        try:
            reply = check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if serves(target(ApiSettings().grpc_listen)) else 1)

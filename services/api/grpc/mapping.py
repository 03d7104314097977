"""The innermost of what surrounds a call: refusals and faults become google.rpc.Status."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc import aio

from services.api.domain.errors import InvalidFields, Refusal, Violation
from services.api.grpc.aborts import abort
from services.api.grpc.statuses import internal_status, status_of
from services.api.grpc.surround import Surround, behaviour_of, rebuilt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.descriptor import Descriptor

    from services.api.grpc.surround import Context, Handler

OURS: Final = "/stagedoor."
MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_BATCH_BYTES: Final = 1024 * 1024
"""Of methods whose name begins with Batch."""

_log = structlog.get_logger(__name__)


class ErrorMapping(Surround):
    """Answers refusals and faults with google.rpc.Status."""

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """All of our calls; health and reflection have their own answers."""
        return method.startswith(OURS)

    def around(self, method: str, context: Context) -> Any:
        """Map what the servicer raises."""
        return mapped(method, context)

    def surround(self, method: str, handler: Handler) -> Handler:
        """Decode the request inside as well: grpc.aio answers UNKNOWN to bytes it cannot decode."""
        behaviour, decode = behaviour_of(handler), handler.request_deserializer
        is_batch = method.rpartition("/")[2].startswith("Batch")
        most = MAX_BATCH_BYTES if is_batch else MAX_REQUEST_BYTES

        def decoding(raw: bytes, context: Context) -> Any:
            return behaviour(_decoded(raw, decode, most), context)

        return super().surround(method, rebuilt(handler, decoding, None))


@asynccontextmanager
async def mapped(method: str, context: Context) -> AsyncIterator[None]:
    """Turn what is raised inside into the call's status."""
    try:
        yield
    except Refusal as refusal:
        status = status_of(refusal, request_type(method))
    except aio.AbortError:
        raise
    except Exception:  # noqa: BLE001 - the process's edge: the client learns nothing, the log all
        _log.exception("rpc_failed", method=method)
        status = internal_status()
    else:
        return
    await abort(context, status)


def request_type(method: str) -> Descriptor | None:
    """The type of a method's request; None for a service that is not ours."""
    if not method.startswith(OURS):
        return None
    service, _, name = method.removeprefix("/").partition("/")
    found = descriptor_pool.Default().FindServiceByName(service)
    return found.methods_by_name[name].input_type


def _decoded(raw: bytes, decode: Any, most: int) -> Any:
    if len(raw) > most:
        detail = f"The request has {len(raw):,} bytes; it may have {most:,}."
        raise InvalidFields(Violation("", "too_long", detail))
    try:
        return decode(raw)
    except DecodeError:
        raise InvalidFields(Violation("", "invalid", "The request cannot be decoded.")) from None

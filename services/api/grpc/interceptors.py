"""What surrounds every call, outermost first: auth, deadline cap, error mapping."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc import aio
from grpc_status import rpc_status

from services.api.domain.errors import InvalidFields, Refusal, Unavailable
from services.api.grpc.caller import set_caller
from services.api.grpc.statuses import internal_status, status_of
from services.api.grpc.surround import Surround, behaviour_of, rebuilt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.descriptor import Descriptor

    from services.api.grpc.surround import Context, Handler
    from services.api.use_cases.tokens import Tokens

OURS: Final = "/stagedoor."
HEALTH: Final = "/grpc.health."
MAX_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class Undecodable(InvalidFields):
    """The request cannot be decoded."""


class Auth(Surround):
    """Lets only holders of a good token in; health is for everybody."""

    def __init__(self, tokens: Tokens) -> None:
        """Ask these tokens."""
        self._tokens = tokens

    def applies(self, method: str, handler: Handler) -> bool:  # noqa: ARG002 - the base's signature
        """All but health: a probe has no token. Reflection is for insiders."""
        return not method.startswith(HEALTH)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Find out who calls, before anything else is looked at."""
        async with mapped(method, context):
            token = bearer(context.invocation_metadata())
            set_caller(await self._tokens.authenticate(token))
        yield


class DeadlineCap(Surround):
    """Ends single-answer calls that run too long, whatever deadline their client has set.

    Streams may last: a dead client is found by keepalive.
    """

    def __init__(self, seconds: float) -> None:
        """Allow so many seconds."""
        self._seconds = seconds

    def applies(self, method: str, handler: Handler) -> bool:
        """All of our calls with a single answer."""
        return method.startswith(OURS) and not handler.response_streaming

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Cancel the call when its time is up; whether it took effect is then unknown."""
        async with mapped(method, context):
            try:
                async with asyncio.timeout(self._seconds):
                    yield
            except TimeoutError:
                raise Unavailable("The service took too long. Try again.") from None


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

        def decoding(raw: bytes, context: Context) -> Any:
            return behaviour(_decoded(raw, decode), context)

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
    await context.abort_with_status(rpc_status.to_status(status))


def bearer(metadata: Any) -> str | None:
    """The token of the one ``authorization: Bearer`` entry (RFC 6750); None if it is not so."""
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def request_type(method: str) -> Descriptor | None:
    """The type of a method's request; None for a service that is not ours."""
    if not method.startswith(OURS):
        return None
    service, _, name = method.removeprefix("/").partition("/")
    found = descriptor_pool.Default().FindServiceByName(service)
    return found.methods_by_name[name].input_type


def _decoded(raw: bytes, decode: Any) -> Any:
    try:
        return decode(raw)
    except DecodeError:
        raise Undecodable from None

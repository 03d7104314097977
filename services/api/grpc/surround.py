"""What surrounds a call: async context managers, one within the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from grpc import aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Surround(ABC):
    """Surrounds the handlers that it applies to.

    Streaming handlers must be async generators, as all of ours and reflection's are.
    """

    @abstractmethod
    def applies(self, method: str, handler: Handler) -> bool:
        """Whether calls of this method, as ``/package.Service/Method``, are surrounded."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """What a call runs in."""

    def surround(self, method: str, handler: Handler) -> Handler:
        """The handler with ``around`` around its behaviour."""
        behaviour: Any = behaviour_of(handler)

        async def single(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                return await behaviour(request, context)

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self.around(method, context), aclosing(behaviour(request, context)) as items:
                async for item in items:
                    yield item

        return rebuilt(
            handler, stream if handler.response_streaming else single, handler.request_deserializer
        )


class Surroundings(aio.ServerInterceptor):
    """One interceptor for all of them: each method is surrounded once, not at each call."""

    def __init__(self, *surrounds: Surround) -> None:
        """Take them, the outermost first."""
        self.surrounds = surrounds
        self._surrounded: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler in its surroundings; None, for a method that nobody serves, stays None."""
        method = handler_call_details.method
        known = self._surrounded.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        for each in reversed(self.surrounds):
            if each.applies(method, handler):
                handler = each.surround(method, handler)
        self._surrounded[method] = handler
        return handler


def behaviour_of(handler: Handler) -> Any:
    """The one of the four behaviours that a handler has."""
    return (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )


def rebuilt(
    handler: Handler, behaviour: Any, deserializer: Callable[[bytes], Any] | None
) -> Handler:
    """A handler of the same kind with another behaviour and request deserializer."""
    build: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    built: Handler = build(behaviour, deserializer, handler.response_serializer)
    return built

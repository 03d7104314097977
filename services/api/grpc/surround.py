"""The base of our interceptors: run a call inside an async context manager."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from grpc import aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

Context: TypeAlias = "aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Surround(aio.ServerInterceptor):
    """An interceptor that surrounds the handlers it applies to.

    Streaming handlers must be async generators, as all of ours and reflection's are.
    """

    @abstractmethod
    def applies(self, method: str, handler: Handler) -> bool:
        """Whether calls of this method, as ``/package.Service/Method``, are surrounded."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """What a call runs in."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Surround the handler; None, for a method that nobody serves, stays None."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not self.applies(method, handler):
            return handler
        return self.surround(method, handler)

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

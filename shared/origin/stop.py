"""Stopping what blocks: one Stop per run, heard by every thread of it and by every socket."""

from __future__ import annotations

import asyncio
import contextvars
import socket as sockets
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - a wish of ours, not a fault
    """The run is being stopped; raised in its threads."""


class Stop:
    """Told to a run from outside; every method may be called from any thread."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._lock = threading.Lock()
        self._wakers: dict[object, Callable[[], None]] = {}

    @property
    def is_set(self) -> bool:
        """Whether the run is to end."""
        return self._set.is_set()

    def stop(self) -> None:
        """End every wait: sockets are shut down, pauses and queues wake."""
        with self._lock:
            self._set.set()
            for wake in self._wakers.values():
                wake()

    def check(self) -> None:
        """Raise Stopped if the run is to end."""
        if self._set.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Pause for so long. Raises Stopped, as soon as the run is to end."""
        if self._set.wait(seconds):
            raise Stopped

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """While inside, ``stop()`` calls ``wake``. Raises Stopped if it already came.

        Enter and leave without holding a lock that ``wake`` takes.
        """
        token = object()
        with self._lock:
            self.check()
            self._wakers[token] = wake
        try:
            yield
        finally:
            with self._lock:
                del self._wakers[token]

    @contextmanager
    def closing(self, socket: sockets.socket) -> Iterator[None]:
        """While inside, ``stop()`` shuts the socket down; leave before the socket is closed."""
        with self.waking(lambda: _shut_down(socket)):
            yield


def _shut_down(socket: sockets.socket) -> None:
    # The plain method: that of SSLSocket takes the TLS away from under a thread that reads.
    with suppress(OSError):
        sockets.socket.shutdown(socket, sockets.SHUT_RDWR)


async def run_stoppable(work: Callable[[Stop], T], *, name: str = "download") -> T:
    """Run blocking work in a thread of its own, of this name; return or raise what it does.

    A cancelled caller stops the work and is cancelled only once its thread has ended.
    """
    stop = Stop()
    result: Future[T] = Future()
    result.set_running_or_notify_cancel()  # from here on no cancel() of asyncio's reaches it
    context = contextvars.copy_context()
    # A daemon: a thread that hangs in the kernel must not keep the process from ending.
    thread = threading.Thread(
        target=lambda: context.run(_settle, result, work, stop), name=name, daemon=True
    )
    thread.start()
    ended = asyncio.ensure_future(asyncio.wrap_future(result))
    cancelled: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.wait({ended})
        except asyncio.CancelledError as error:
            cancelled = error
            stop.stop()
    thread.join()  # nothing is left for it to do
    if cancelled is None:
        return ended.result()
    ended.exception()  # seen: the caller is not interested any more
    raise cancelled


def _settle(result: Future[T], work: Callable[[Stop], T], stop: Stop) -> None:
    try:
        result.set_result(work(stop))
    except BaseException as error:  # noqa: BLE001 - the thread's edge: the caller gets whatever it is
        result.set_exception(error)

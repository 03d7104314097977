"""Reading a stream of answers so that Ctrl-C always ends it.

Who is interrupted while gRPC begins a call waits for ever when the channel is closed. So another
thread calls and reads, and the one that a signal interrupts only waits for it; in turns, because a
signal that comes just before a wait is heard when the wait is over.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAX_AHEAD: Final = 64
_TURN_SECONDS: Final = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """No more answers come."""

    error: Exception | None = None


def read(begin: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What the call that is begun so gives, one by one; raises what it raises.

    Who reads no further cancels it.
    """
    answers: Queue[T | _End] = Queue(_MAX_AHEAD)
    begun: Future[Any] = Future()

    def pump() -> None:
        try:
            call = begin()
            begun.set_result(call)
            for answer in call:
                answers.put(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader is to know it
            answers.put(_End(error))
        else:
            answers.put(_End())

    Thread(target=pump, daemon=True).start()
    try:
        while not isinstance(answer := _next(answers), _End):
            yield answer
        if answer.error is not None:
            raise answer.error
    finally:
        begun.add_done_callback(lambda call: call.result().cancel())


def _next(answers: Queue[T]) -> T:
    while True:
        with suppress(Empty):
            return answers.get(timeout=_TURN_SECONDS)

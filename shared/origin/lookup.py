"""Asking for the addresses of a name, for no longer than there is time."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.origin.stop import Stop

    Resolve = Callable[[str], list[str]]


def system_resolve(host: str) -> list[str]:
    """Ask the system's resolver for every address of a name. Blocks. Raises OSError."""
    # Bytes: of a str Python would make an IDNA name of its own.
    answers = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def lookup(resolve: Resolve, host: str, seconds: float, stop: Stop) -> list[str]:
    """Return what ``resolve`` answers. Raises TimeoutError, Stopped, and as ``resolve``.

    The system's resolver cannot be interrupted: one that is slow is left behind in its thread,
    which ends when the system gives up.
    """
    answer: Future[list[str]] = Future()
    over = threading.Event()

    def ask() -> None:
        try:
            answer.set_result(resolve(host))
        except Exception as error:  # noqa: BLE001 - the thread's edge: the caller gets whatever it is
            answer.set_exception(error)
        over.set()

    with stop.waking(over.set):
        threading.Thread(target=ask, name="lookup", daemon=True).start()
        over.wait(seconds)
    stop.check()
    if not answer.done():
        raise TimeoutError("no answer to the lookup")
    return answer.result()

"""A process without descriptors: nobody can be let in until somebody leaves."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import asyncio

_SAY_EVERY_SECONDS: Final = 1.0
# Those for which asyncio stops to accept for a second, and then tries again.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = structlog.get_logger(__name__)


class LoopTroubles:
    """A loop's exception handler that says in one line that connections wait.

    asyncio itself tells of it with a trace, and again for each place of the listening queue.
    """

    def __init__(self) -> None:
        """Say it the first time."""
        self._say_from = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what asyncio tells of; all else is told as ever."""
        error = context.get("exception")
        is_accept = isinstance(error, OSError) and error.errno in _EXHAUSTED and "socket" in context
        if not is_accept:
            loop.default_exception_handler(context)
        elif loop.time() >= self._say_from:
            self._say_from = loop.time() + _SAY_EVERY_SECONDS
            _log.warning("connections_wait", error=str(error))

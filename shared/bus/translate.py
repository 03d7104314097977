"""From the errors of nats-py to ours; and its bad habit of losing cancellations undone."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nats import errors as nats_errors
from nats.js import errors as js_errors

from shared.bus.errors import (
    BusClosed,
    BusError,
    BusUnavailable,
    MessageTooLarge,
    NoAnswer,
    SubjectTaken,
    TopologyMissing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server has one code for every limit of a stream; only the text tells which one.
_STREAM_STORE_FAILED: Final = 10077
_PER_SUBJECT: Final = "per subject"

_KINDS: Final = (
    ((js_errors.NoStreamResponseError, js_errors.NotFoundError), TopologyMissing),
    ((nats_errors.NoRespondersError, TimeoutError), NoAnswer),
    ((nats_errors.MaxPayloadError,), MessageTooLarge),
    ((nats_errors.ConnectionClosedError, nats_errors.ConnectionDrainingError), BusClosed),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors instead of those of nats-py, and CancelledError when it was cancelled.

    Up to Python 3.11 ``asyncio.wait_for`` forgets a cancellation that comes together with the
    result, and nats-py swallows others: a loop around such a call would never end.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except (nats_errors.Error, OSError) as error:  # a few of its timeouts are the built-in one
        raise bus_error(error) from error
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def bus_error(error: BaseException) -> BusError:
    """Our error for one of nats-py."""
    return _kind(error)(str(error))


def _kind(error: BaseException) -> type[BusError]:
    match error:
        case js_errors.APIError(err_code=code, description=why) if code == _STREAM_STORE_FAILED:
            return SubjectTaken if _PER_SUBJECT in (why or "") else BusUnavailable
        case js_errors.ServiceUnavailableError(err_code=None):
            return TopologyMissing
        case _:
            return next(
                (ours for theirs, ours in _KINDS if isinstance(error, theirs)), BusUnavailable
            )

"""Who is asking: set by the auth interceptor for the task that serves the call."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.api.domain.principal import Principal

_caller: ContextVar[Principal] = ContextVar("caller")


def caller() -> Principal:
    """The holder of the call's token; LookupError outside an authenticated call."""
    return _caller.get()


def set_caller(who: Principal) -> None:
    """Remember who asks, until the task that serves the call ends."""
    _caller.set(who)

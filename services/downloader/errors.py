"""How a fetch goes wrong.

FetchError
├── Permanent   asking again would end the same: the stage refuses
└── Transient   asking again may do better: the run resumes, or the next attempt does
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class FetchError(Exception):
    """The bytes could not be had.

    ``code`` is stable; ``detail`` is one sentence that may be shown to the client: it never holds
    a resolved address, a redirect's target, a query string or what the origin wrote. ``measured``
    and ``allowed`` are as in Problem.
    """

    def __init__(self, code: str, detail: str, *, measured: str = "", allowed: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.measured = measured
        self.allowed = allowed


class Permanent(FetchError):  # noqa: N818 - reads as what it says where it is raised
    """Asking again would end the same."""


class Transient(FetchError):  # noqa: N818 - as above
    """Asking again may do better.

    ``retry_after`` is the wait that the origin asked for, if it did; ``at_once`` is False where
    asking again within the run is of no use.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        measured: str = "",
        retry_after: timedelta | None = None,
        at_once: bool = True,
    ) -> None:
        super().__init__(code, detail, measured=measured)
        self.retry_after = retry_after
        self.at_once = at_once

"""Why an origin is not fetched from."""

from __future__ import annotations

from typing import Literal

Code = Literal["invalid", "not_https", "too_long", "address_refused", "port_refused"]


class OriginRefused(ValueError):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The URL, or an address behind it, is not fetched from.

    ``code`` is stable; ``detail`` is one sentence that says what would be right. It never names an
    address that a resolver answered, so it can be shown to the client as it is.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code: Code = code
        self.detail = detail


ADDRESS_REFUSED = "The host must have a public unicast address; this one leads elsewhere."

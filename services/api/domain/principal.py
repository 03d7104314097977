"""Who asks, and what they may do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.api.domain.errors import ScopeMissing

ADMIN = "admin"
SCOPES = frozenset(
    {
        "tasks:read",
        "tasks:write",
        "tracks:read",
        "tracks:write",
        "catalogue:read",
        "catalogue:write",
        "records:read",
        "publishing:read",
        "publishing:write",
        "subscriptions:read",
        "subscriptions:write",
        "uploads:read",
        "uploads:write",
        ADMIN,
    }
)
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
"""A tenant's name: it is a token of NATS subjects and a folder of the blob store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The holder of a token: whose data they see and what they may do to it.

    ``address`` is the network address that the request came from, for the audit log.
    """

    tenant: str
    token_id: str
    scopes: frozenset[str]
    address: str = ""

    def require(self, scope: str, *others: str) -> None:
        """Raise ScopeMissing unless the token has one of the scopes; admin has them all."""
        if not self.scopes & {scope, *others, ADMIN}:
            raise ScopeMissing(scope)

"""The secrets that webhooks are signed with (Standard Webhooks): shown once, kept sealed."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.api.domain.subscriptions import SECRET_BYTES, SECRET_PREFIX
from services.api.secrets import SecretKeys, Unreadable

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class SigningSecrets:
    """Makes, seals and opens them; each is bound to its subscription."""

    keys: SecretKeys = field(repr=False)

    def make(self, tenant: str, subscription_id: UUID) -> bytes:
        """A new one, sealed."""
        return self.keys.seal(secrets.token_bytes(SECRET_BYTES), _place(tenant, subscription_id))

    def open(self, tenant: str, subscription_id: UUID, sealed: bytes) -> bytes:
        """The bytes to sign with. Raises Unreadable when none of the keys opens them."""
        return self.keys.open(sealed, _place(tenant, subscription_id))

    def open_all(self, tenant: str, subscription_id: UUID, *sealed: bytes) -> tuple[bytes, ...]:
        """Those that can be opened."""
        opened = []
        for each in sealed:
            try:
                opened.append(self.open(tenant, subscription_id, each))
            except Unreadable:
                continue
        return tuple(opened)

    def show(self, tenant: str, subscription_id: UUID, sealed: bytes) -> str:
        """As its receiver is given it. Raises Unreadable."""
        plain = self.open(tenant, subscription_id, sealed)
        return SECRET_PREFIX + base64.b64encode(plain).decode()


def _place(tenant: str, subscription_id: UUID) -> bytes:
    return f"{tenant}/subscriptions/{subscription_id}".encode()

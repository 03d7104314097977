"""Sending by whatever a target asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from services.api.domain.subscriptions import Outcome, is_mail
from services.api.notify.webhook import WebhookSender
from shared.origin.guard import AddressGuard
from shared.origin.tls import tls_context

if TYPE_CHECKING:
    from pathlib import Path

    from services.api.domain.subscriptions import Outgoing
    from services.api.notify.server import MailServer
    from shared.origin import OriginPolicy


class Sender(Protocol):
    """Makes attempts."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Make one; whatever comes of it is the outcome."""


_NO_MAIL = Outcome(error="mail_unavailable")


@dataclass(frozen=True, slots=True)
class Senders:
    """Webhooks, and mail when there is a server for it."""

    webhooks: Sender
    mail: Sender | None = None

    @classmethod
    def build(cls, policy: OriginPolicy, server: MailServer | None, ca_file: Path | None) -> Self:
        """Those that an operator's settings describe. Blocks."""
        tls = tls_context(ca_file)
        webhooks = WebhookSender(AddressGuard(policy), tls)
        if server is None:
            return cls(webhooks)
        from services.api.notify.mail import MailSender

        return cls(webhooks, MailSender(server, tls_context(ca_file, alpn=())))

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Make one attempt."""
        if not is_mail(outgoing.target):
            return await self.webhooks.send(outgoing)
        return await self.mail.send(outgoing) if self.mail else _NO_MAIL

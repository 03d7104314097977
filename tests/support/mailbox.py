"""A mail server on 127.0.0.1 (aiosmtpd): TLS and a password, and what came in."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from services.api.notify.server import MailServer
from tests.support.origin import HOST_NAMES, serving, shared_authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import Envelope, Session

USER, PASSWORD = "stagedoor", "p:s s@w/rd"


@dataclass(slots=True)
class Mailbox:
    """What came in; ``says`` is the answer to the next messages, ``at`` RCPT or DATA."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    says: str = "250 OK"
    at: str = "DATA"

    def server(self, password: str = PASSWORD, scheme: str = "smtp") -> MailServer:
        """As an operator would configure it."""
        quoted = password.replace(":", "%3A").replace(" ", "%20").replace("@", "%40")
        url = f"{scheme}://{USER}:{quoted.replace('/', '%2F')}@127.0.0.1:{self.port}"
        return MailServer.parse(url, "Stagedoor <doors@example.com>")

    def messages(self) -> list[EmailMessage]:
        """What came in, parsed."""
        return [
            message_from_bytes(e.original_content or b"", policy=default) for e in self.envelopes
        ]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take a recipient, or not."""
        if self.at == "RCPT":
            return self.says
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a message, or not."""
        if self.says.startswith("250"):
            self.envelopes.append(envelope)
        return self.says


@asynccontextmanager
async def running_mailbox(*, tls_at_once: bool = False) -> AsyncIterator[Mailbox]:
    """A server that takes mail by TLS from those who know the password."""
    mailbox = Mailbox()
    context = serving(shared_authority().issue_cert(*HOST_NAMES))
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        with warnings.catch_warnings():
            # It knows only the TLS that it began itself, and warns of a password without.
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(
                mailbox,
                tls_context=None if tls_at_once else context,
                require_starttls=not tls_at_once,
                auth_required=True,
                auth_require_tls=not tls_at_once,
                authenticator=_authenticate,
                loop=loop,
            )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if tls_at_once else None)
    mailbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield mailbox


def _authenticate(*asked: object) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=asked[-1] == known, handled=False)

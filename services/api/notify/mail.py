"""Mail: one plain message for an event, handed to the operator's server (RFC 5321)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

import aiosmtplib

from services.api.domain.subscriptions import Outcome

if TYPE_CHECKING:
    import ssl

    from services.api.domain.subscriptions import Outgoing
    from services.api.notify.server import MailServer

SECONDS: Final = 30.0
"""For the whole attempt."""

_PERMANENT = range(500, 600)
_PREFIX = "stagedoor."
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class MailSender:
    """Sends to mailto targets."""

    server: MailServer
    tls: ssl.SSLContext
    seconds: float = SECONDS

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Make one attempt; whatever comes of it is the outcome."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._submit(message_of(outgoing, self.server))
        except aiosmtplib.SMTPAuthenticationError as error:  # the operator's to mend, so it waits
            return Outcome(error="mail_unavailable", status=error.code)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(error.recipients[0].code)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code)
        except TimeoutError:
            return Outcome(error="timeout")
        except (aiosmtplib.SMTPException, OSError):
            return Outcome(error="mail_unavailable")
        return Outcome()

    async def _submit(self, message: EmailMessage) -> None:
        server = self.server
        await aiosmtplib.send(
            message,
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.tls_at_once,
            start_tls=not server.tls_at_once,
            tls_context=self.tls,
            timeout=self.seconds,
        )


def message_of(outgoing: Outgoing, server: MailServer) -> EmailMessage:
    """The message of an event. Its id is the event's: who gets it twice can tell."""
    told = json.loads(outgoing.body)
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = outgoing.target.removeprefix("mailto:")
    message["Subject"] = f"Stagedoor: {outgoing.event_type.removeprefix(_PREFIX)}"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{outgoing.event_id}@{server.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notice answers it
    head = {
        "event": outgoing.event_type,
        "id": str(outgoing.event_id),
        "time": told["timestamp"],
    }
    message.set_content("\n".join(_lines(head | told["data"])) + "\n")
    return message


def _lines(values: Mapping[str, object], indent: str = "") -> Iterator[str]:
    for name, value in values.items():
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, Mapping):
                yield f"{indent}{name}:"
                yield from _lines(item, indent + _INDENT)
            else:
                yield f"{indent}{name}: {item}"


def _refused(code: int) -> Outcome:
    if code in _PERMANENT:
        return Outcome(error="mail_refused", status=code, permanent=True)
    return Outcome(error="mail_deferred", status=code)

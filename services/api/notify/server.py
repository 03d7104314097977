"""Which server takes our mail, read from a URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A submission server (RFC 6409), always by TLS: at once, else by STARTTLS.

    ``sender`` is who mail is from: an address, or a name and ``<address>``.
    """

    host: str
    port: int
    tls_at_once: bool
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def domain(self) -> str:
        """That of the sender's address."""
        return parseaddr(self.sender)[1].rpartition("@")[2]

    @classmethod
    def parse(cls, url: str, sender: str) -> Self:
        """Read ``smtp://`` (STARTTLS) or ``smtps://``, with ``user:password@`` or without.

        Raises ValueError that shows nothing of the URL.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in _PORTS or not parts.hostname or port == 0 or parts.path.strip("/"):
            raise ValueError("smtp_url is smtp://user:password@host:587 or smtps://…")
        if "@" not in parseaddr(sender)[1] or not sender.isprintable():
            raise ValueError("mail_from is an address, or a name and <address>.")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls_at_once=parts.scheme == "smtps",
            sender=sender,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

"""Which servers to connect to, as whom, and whom to believe: from the settings."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = "nats"
TLS = "tls"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. ``ca`` is the authority of the servers, by default those that the machine trusts.

    ``cert`` and ``key`` are our own, for servers that ask for one; both or neither.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for one without the other."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("nats_cert_file and nats_key_file are set together.")

    def context(self) -> ssl.SSLContext:
        """What TLS connections are opened with; raises OSError for files that are none."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses without credentials, and the credentials, which are the same for all."""

    urls: tuple[str, ...]
    user: str | None
    password: str | None

    @classmethod
    def parse(cls, text: str) -> Servers:
        """Read a comma-separated list of URLs; what holds a comma is percent-encoded.

        Raises ValueError, without showing a password.
        """
        parts = [urlsplit(url.strip()) for url in text.split(",")]
        if len({part.scheme for part in parts}) > 1:
            raise ValueError("The servers of the broker all use TLS (tls://) or none (nats://).")
        if any(part.scheme not in {PLAIN, TLS} or not part.hostname for part in parts):
            raise ValueError("A server of the broker is nats://host:port or tls://host:port.")
        known = {(part.username, part.password) for part in parts if part.username}
        if len(known) > 1:
            raise ValueError("The servers of the broker take the same user and password.")
        user, password = known.pop() if known else (None, None)
        return cls(tuple(map(_bare, parts)), _decoded(user), _decoded(password))


def _bare(url: SplitResult) -> str:
    return urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None

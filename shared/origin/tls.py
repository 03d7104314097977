"""Whom we trust as a TLS client."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def tls_context(
    ca_file: Path | None = None, *, alpn: tuple[str, ...] = ("http/1.1",)
) -> ssl.SSLContext:
    """Trust the system's authorities, and those in ``ca_file`` (PEM) too. Blocks.

    ``alpn`` are the protocols that are spoken (RFC 7301); none are named for ().
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(alpn)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context

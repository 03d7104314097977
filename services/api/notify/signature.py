"""Signatures that a receiver can verify: Standard Webhooks 1.0.0, HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def sign(secrets: Iterable[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature: one for each secret; a receiver accepts any of them."""
    content = f"{id_}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, content, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)

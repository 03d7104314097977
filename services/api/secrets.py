"""The deployment's secret keys: what is encrypted at rest and signed with them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.durable import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_BYTES: Final = 32
FILE: Final = "secrets.key"

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_SEALING: Final = b"stagedoor sealing 1"
_FINGERPRINT: Final = b"stagedoor fingerprint 1"


class Unreadable(Exception):  # noqa: N818 - an answer, not a fault
    """None of the keys opens what was sealed, or it was sealed for another place."""


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """Keys of 32 bytes: the first seals and signs, all of them open.

    Nothing uses a key itself, but what is derived from it for one purpose.
    """

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read comma-separated keys in Base64. Raises ValueError that shows nothing of them."""
        return cls(tuple(_key(item.strip()) for item in text.split(",")))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the file in this folder; make it first if there is none. Raises OSError."""
        path = folder / FILE
        try:
            text = path.read_text()
        except FileNotFoundError:
            _make(path)
            text = path.read_text()
        try:
            return cls.parse(text)
        except ValueError as error:
            raise OSError(f"{path}: {error}") from None

    @classmethod
    def generate(cls) -> Self:
        """A key that nobody else has."""
        return cls((secrets.token_bytes(KEY_BYTES),))

    def derived(self, purpose: bytes) -> bytes:
        """The 32 bytes to sign with for a purpose (HKDF, RFC 5869)."""
        return _derived(self.keys[0], purpose)

    def all_derived(self, purpose: bytes) -> Iterator[bytes]:
        """Those to verify with: of a key that was rotated out, too, while it is listed."""
        return (_derived(key, purpose) for key in self.keys)

    def seal(self, text: bytes, place: bytes) -> bytes:
        """Encrypt a text so that it opens at this place only (AES-256-GCM, NIST SP 800-38D)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self.derived(_SEALING)).encrypt(nonce, text, place)
        return _VERSION + nonce + sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The text that was sealed. Raises Unreadable."""
        version, nonce, body = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if version != _VERSION or len(nonce) != _NONCE_BYTES:
            raise Unreadable
        for key in self.all_derived(_SEALING):
            try:
                return AESGCM(key).decrypt(nonce, body, place)
            except InvalidTag:
                continue
        raise Unreadable

    def fingerprint(self, text: str) -> str:
        """What tells texts apart; without a key, a guess at one cannot be checked against it."""
        return hmac.digest(self.derived(_FINGERPRINT), text.encode(), hashlib.sha256).hex()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a secret key is {KEY_BYTES} bytes in Base64")
    return key


def _make(path: Path) -> None:
    """Write a new key whole or not at all; of several who do so at once one wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        # The name as lasting as the file: what is sealed is lost with the key.
        sync(path.parent)
    finally:
        draft.unlink()

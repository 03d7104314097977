"""An identity provider: its keys, and the JWTs that it signs."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.api.jwks import KeySet
from services.api.jwt import JwtVerifier
from services.api.trust import Trust

ISSUER = "https://login.example.com/"
AUDIENCE = "stagedoor"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key for each name."""
    assert name
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key for each name."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


def jwk(kid: str | None, **more: object) -> dict[str, Any]:
    """The public part of the key of this name."""
    name = kid or "nameless"
    if name.startswith("ec"):
        public = jwt.algorithms.ECAlgorithm.to_jwk(ec_key(name).public_key(), as_dict=True)
    else:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True)
    public.pop("key_ops", None)
    return {**public, **({"kid": kid} if kid else {}), **more}


@dataclass
class Provider:
    """An identity provider: its published keys, and how often they were fetched."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk("rsa-1"), jwk("ec-1")])
    fetched: int = 0
    is_down: bool = False
    now: float = 1000.0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once, until the gate is closed."""
        self.gate.set()

    async def fetch(self) -> bytes:
        """The JWK Set."""
        self.fetched += 1
        self.asked.set()
        await self.gate.wait()
        if self.is_down:
            raise ConnectionRefusedError
        return json.dumps({"keys": self.keys}).encode()

    def verifier(self, **trust: Any) -> JwtVerifier:
        """One that trusts this provider."""
        trusted = replace(TRUST, **trust)
        return JwtVerifier(trusted, KeySet(self.fetch, trusted.algorithms, lambda: self.now))


TRUST = Trust(issuer=ISSUER, audience=AUDIENCE, jwks="jwks.json", algorithms=("RS256", "ES256"))


def token(
    kid: str | None = "rsa-1",
    algorithm: str = "RS256",
    key: Any = None,
    header: Any = None,
    **changes: Any,
) -> str:
    """A good JWT but for the changes; None takes a claim away."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-7",
        "exp": int(time.time()) + 300,
        "tenant": "acme",
        "scope": "openid tasks:read tasks:write",
        **changes,
    }
    name = kid or "nameless"
    signer = key or (ec_key(name) if name.startswith("ec") else rsa_key(name))
    headers = {**({"kid": kid} if kid else {}), **(header or {})}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, signer, algorithm, headers)

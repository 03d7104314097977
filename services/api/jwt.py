"""Bearer tokens of an OpenID Connect provider: JWTs (RFC 7519, RFC 9068) beside our own tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt

from services.api.domain.errors import Unauthenticated
from services.api.domain.principal import SCOPES, TENANT, Principal

if TYPE_CHECKING:
    from services.api.jwks import KeySet
    from services.api.trust import Trust

LEEWAY_SECONDS: Final = 30
MAX_SUBJECT: Final = 255

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_OPTIONS: Final[jwt.types.Options] = {
    "require": ["iss", "aud", "exp", "sub"],
    "enforce_minimum_key_length": True,
}


@dataclass(frozen=True, slots=True)
class JwtVerifier:
    """Knows the holders of an issuer's JWTs."""

    trust: Trust
    keys: KeySet

    async def verify(self, token: str) -> Principal:
        """Who holds this JWT; ``token_id`` is its subject.

        Raises Unauthenticated, and Unavailable while the issuer's keys cannot be had.
        """
        try:
            return self._principal(await self._claims(token))
        except jwt.PyJWTError as error:
            raise Unauthenticated from error

    async def _claims(self, token: str) -> dict[str, Any]:
        if not _COMPACT.fullmatch(token):
            raise Unauthenticated
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self.trust.algorithms:
            raise Unauthenticated
        key = await self.keys.find(kid, algorithm)
        if key is None:
            raise Unauthenticated
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self.trust.audience,
            issuer=self.trust.issuer,
            leeway=LEEWAY_SECONDS,
            options=_OPTIONS,
        )

    def _principal(self, claims: dict[str, Any]) -> Principal:
        subject, tenant = claims["sub"], claims.get(self.trust.tenant_claim)
        # The subject goes into the audit log, which must stay readable.
        is_subject = 0 < len(subject) <= MAX_SUBJECT and subject.isprintable()
        if not is_subject or not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
            raise Unauthenticated
        scopes = _words(claims.get(self.trust.scope_claim))
        return Principal(tenant=tenant, token_id=subject, scopes=SCOPES & scopes)


def _words(claim: object) -> set[str]:
    words = claim.split(" ") if isinstance(claim, str) else claim
    return {word for word in words if isinstance(word, str)} if isinstance(words, list) else set()

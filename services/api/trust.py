"""Which OpenID Connect provider is believed, and in what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ssl import SSLContext

    from services.api.jwks import KeySet

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""What an operator may allow: signatures with a private key, never a shared secret or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose JWTs are believed, for whom they must be, and where they say what.

    ``jwks`` is an HTTPS URL or a path; ``algorithms`` are some of ALGORITHMS. The scope claim is a
    string with blanks (RFC 8693 section 4.2) or a list.
    """

    issuer: str
    audience: str
    jwks: str
    algorithms: tuple[str, ...]
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"

    def __post_init__(self) -> None:
        """Refuse what would not protect: raises ValueError."""
        unfit = sorted(set(self.algorithms) - ALGORITHMS)
        if unfit or not self.algorithms:
            known = ", ".join(sorted(ALGORITHMS))
            raise ValueError(f"The algorithms of JWTs are some of {known}.")
        if "://" in self.jwks and not self.jwks.startswith("https://"):
            raise ValueError("The JWKS is an https URL or a path.")

    def keys(self, ssl: SSLContext | None = None) -> KeySet:
        """The keys; ``ssl`` replaces the usual trust in certificates."""
        from services.api.jwks import KeySet, from_file, from_url  # few deployments have a provider

        is_url = "://" in self.jwks
        fetch = from_url(self.jwks, ssl) if is_url else from_file(Path(self.jwks))
        return KeySet(fetch, self.algorithms)

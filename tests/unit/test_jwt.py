"""JWTs of an identity provider: whom they let in, and whom not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from services.api.domain.errors import Unauthenticated
from services.api.jwt import LEEWAY_SECONDS
from services.api.settings import ApiSettings
from tests.support.identity import AUDIENCE, ISSUER, Provider, jwk, rsa_key, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.domain.principal import Principal


async def holder(text: str, **trust: Any) -> Principal:
    """Who holds it, by the default provider."""
    return await Provider().verifier(**trust).verify(text)


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa-1", "RS256"), ("ec-1", "ES256")])
async def test_a_good_one_tells_who_holds_it(kid: str, algorithm: str) -> None:
    who = await holder(token(kid, algorithm))
    assert (who.tenant, who.token_id) == ("acme", "user-7")
    assert who.scopes == {"tasks:read", "tasks:write"}


async def test_claims_have_the_names_and_shapes_that_the_issuer_gives_them() -> None:
    names = {"tenant_claim": "https://acme.example/org", "scope_claim": "scp"}
    claims: dict[str, Any] = {
        "https://acme.example/org": "b",
        "scp": ["admin", "email", 7],
        "aud": ["x", AUDIENCE],
    }
    who = await holder(token(**claims), **names)
    assert (who.tenant, set(who.scopes)) == ("b", {"admin"})
    assert (await holder(token(scope=None))).scopes == frozenset()
    assert (await holder(token(scope={"admin": 1}))).scopes == frozenset()


PAST, FUTURE = -LEEWAY_SECONDS - 5, LEEWAY_SECONDS + 5
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": PAST},
    "not yet good": {"nbf": FUTURE},
    "issued in the future": {"iat": FUTURE},
    "never ends": {"exp": None},
    "nobody's": {"sub": None},
    "subject empty": {"sub": ""},
    "subject too long": {"sub": "s" * 256},
    "subject with a NUL": {"sub": "a\0b"},
    "other issuer": {"iss": "https://login.example.org/"},
    "issuer not said": {"iss": None},
    "other audience": {"aud": "another"},
    "audience not said": {"aud": None},
    "no tenant": {"tenant": None},
    "no tenant's name": {"tenant": "../acme"},
    "several tenants": {"tenant": ["acme", "other"]},
}


@pytest.mark.parametrize("why", BAD_CLAIMS)
async def test_claims_that_are_not_right_let_nobody_in(why: str) -> None:
    changes: dict[str, Any] = {
        name: int(time.time()) + value if isinstance(value, int) else value
        for name, value in BAD_CLAIMS[why].items()
    }
    with pytest.raises(Unauthenticated):
        await holder(token(**changes))


async def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())
    who = await holder(token(exp=now - LEEWAY_SECONDS + 5, nbf=now + LEEWAY_SECONDS - 5))
    assert who.tenant == "acme"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _head(**header: object) -> str:
    return _part(json.dumps(header).encode())


def _unsigned() -> str:
    return f"{_head(alg='none', kid='rsa-1')}.{token().split('.')[1]}."


def _shared_secret() -> str:
    # The oldest trick: the public key, which everybody has, as the secret of an HMAC.
    public = rsa_key("rsa-1").public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_head(alg='HS256', kid='rsa-1')}.{token().split('.')[1]}"
    return f"{signed}.{_part(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _resigned() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{token(scope='admin').split('.')[1]}.{signature}"


FORGERIES: dict[str, Callable[[], str]] = {
    "not signed": _unsigned,
    "signature taken off": lambda: token().rpartition(".")[0] + ".",
    "signed with a shared secret": _shared_secret,
    "signature of another": _resigned,
    "signed by another": lambda: token(key=rsa_key("thief")),
    "algorithm that does not count": lambda: token(algorithm="RS512"),
    "algorithm that is no text": lambda: _head(alg=["RS256"], kid="rsa-1") + ".e30.e30",
    "key of another kind": lambda: token("ec-1", "RS256", key=rsa_key("thief")),
    "key id that is no text": lambda: _head(alg="RS256", kid=[]) + ".e30.e30",
    "key that the token brings along": lambda: token(
        None, key=rsa_key("thief"), header={"jwk": jwk("thief")}
    ),
    "critical header": lambda: token(header={"crit": ["x"], "x": 1}),
    "no token": lambda: "a.b.c",
    "not ASCII": lambda: f"{token()}\udcff",
    "empty": lambda: "",
    "two parts": lambda: "e30.e30",
    "deep": lambda: _part(b"[" * 3000) + ".e30.e30",
}


@pytest.mark.parametrize("why", FORGERIES)
async def test_forgeries_let_nobody_in(why: str) -> None:
    with pytest.raises(Unauthenticated):
        await holder(FORGERIES[why]())


async def test_a_key_counts_for_its_own_use_and_algorithm_only() -> None:
    shared = {"kty": "oct", "k": base64.urlsafe_b64encode(b"s" * 32).decode(), "kid": "oct-1"}
    encrypting = jwk("rsa-1", use="enc")
    other = jwk("rsa-2", alg="RS512")
    odd: list[dict[str, Any]] = [{}, {"kty": "RSA", "kid": 7}, {"kty": "EC", "crv": "P-256"}]
    verifier = Provider(keys=[shared, encrypting, other, *odd]).verifier()
    for text in (token(), token("rsa-2"), token("oct-1", key=rsa_key("x"))):
        with pytest.raises(Unauthenticated):
            await verifier.verify(text)


async def test_a_short_key_is_not_believed() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is what must be refused
    public = jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        text = token("weak", key=weak)
    with pytest.raises(Unauthenticated):
        await Provider(keys=[{**public, "kid": "weak"}]).verifier().verify(text)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": ISSUER},
        {"oidc_algorithms": "HS256"},
        {"oidc_algorithms": "none"},
        {"oidc_algorithms": ""},
        {"oidc_algorithms": "RS256,HS256"},
        {"oidc_jwks": "http://login.example.com/jwks"},
    ],
    ids=str,
)
def test_settings_that_would_not_protect_are_refused(settings: dict[str, Any]) -> None:
    whole = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_jwks": "jwks.json"}
    given = settings if "oidc_issuer" in settings else whole | settings
    with pytest.raises(ValidationError):
        ApiSettings(**given)


def test_without_settings_nobody_s_are_believed() -> None:
    assert ApiSettings().trust() is None

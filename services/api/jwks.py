"""The public keys of an identity provider (RFC 7517), from a URL or a file, kept for a while.

Keys are fetched anew when they age and when a token names one that is not known, never oftener than
every PAUSE seconds: whoever makes up key ids cannot make us call the provider at will.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from jwt import PyJWK, PyJWTError

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from ssl import SSLContext

PAUSE: Final = 10.0
FRESH: Final = 300.0
# A provider that is down for longer may have withdrawn keys that we would still believe.
MAX_AGE: Final = 3600.0
TIMEOUT: Final = ClientTimeout(total=5.0)
MAX_BYTES: Final = 256 * 1024

Fetch = Callable[[], Awaitable[bytes]]
Keys = Mapping[tuple[str | None, str], PyJWK]

_log = structlog.get_logger(__name__)


class Jwks(msgspec.Struct):
    """A JWK Set; members that we do not know are ignored (RFC 7517 section 5)."""

    keys: list[dict[str, Any]]


class KeySet:
    """The keys that tokens may be signed with."""

    def __init__(
        self, fetch: Fetch, algorithms: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take where the JWK Set comes from and the algorithms that count; the clock: seconds."""
        self._fetch = fetch
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._keys: Keys = {}
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key with this id for this algorithm; without an id, the only one for it.

        Raises Unavailable while no keys can be had.
        """
        if self._age() > FRESH:
            self._begin()
        if self._age() > MAX_AGE or (kid, algorithm) not in self._keys:
            await self._fetched_anew()
        if self._age() > MAX_AGE:
            raise Unavailable("The identity provider does not answer. Try again.")
        return self._keys.get((kid, algorithm))

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _begin(self) -> None:
        if self._fetching is None and self._clock() - self._tried >= PAUSE:
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._refresh())
            self._fetching.add_done_callback(self._end)

    def _end(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetched_anew(self) -> None:
        self._begin()
        if self._fetching is not None:
            # One caller that goes away must not take the keys from the others.
            await asyncio.shield(self._fetching)

    async def _refresh(self) -> None:
        try:
            found = msgspec.json.decode(await self._fetch(), type=Jwks)
        except (ClientError, OSError, RecursionError, msgspec.MsgspecError) as error:
            _log.warning("jwks_not_fetched", error=f"{type(error).__name__}: {error}")
            return
        self._keys, self._fetched = _usable(found, self._algorithms), self._clock()
        if not self._keys:
            _log.warning("jwks_without_usable_keys")


def from_file(path: Path) -> Fetch:
    """Read a JWK Set from a file, which an operator may replace at any time."""

    async def fetch() -> bytes:
        return await asyncio.to_thread(path.read_bytes)

    return fetch


def from_url(url: str, ssl: SSLContext | None = None) -> Fetch:
    """Fetch a JWK Set over HTTPS, without following redirects; ``ssl`` replaces the usual trust."""

    async def fetch() -> bytes:
        async with (
            ClientSession(timeout=TIMEOUT) as session,
            session.get(url, ssl=ssl or True, allow_redirects=False) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - OK
                raise ClientError(f"The answer is {response.status}.")
            return await _bounded(response.content.iter_any())

    return fetch


async def _bounded(chunks: Any) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BYTES:
            raise ClientError(f"The answer is longer than {MAX_BYTES} bytes.")
    return bytes(body)


def _usable(found: Jwks, algorithms: tuple[str, ...]) -> Keys:
    keys: dict[tuple[str | None, str], PyJWK] = {}
    for algorithm in algorithms:
        fitting = [key for jwk in found.keys if (key := _key(jwk, algorithm))]
        keys |= {(key.key_id, algorithm): key for key in fitting}
        if len(fitting) == 1:
            # OpenID Connect Core section 10.1: a single key needs no id.
            keys[None, algorithm] = fitting[0]
    return keys


def _key(jwk: dict[str, Any], algorithm: str) -> PyJWK | None:
    """The key bound to the algorithm; None when it is not meant for it or cannot be read."""
    is_named = isinstance(jwk.get("kid"), str | None)
    if not is_named or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        return PyJWK(jwk, algorithm)
    except PyJWTError:
        return None

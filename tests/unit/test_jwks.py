"""The keys of an identity provider: found, kept, replaced, and not asked for too often."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiohttp import web

from services.api.domain.errors import Unauthenticated, Unavailable
from services.api.jwks import FRESH, MAX_AGE, MAX_BYTES, PAUSE, KeySet, from_file, from_url
from services.api.jwt import JwtVerifier
from tests.support.identity import TRUST, Provider, jwk, rsa_key, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_a_single_key_needs_no_id() -> None:
    assert (await Provider(keys=[jwk(None)]).verifier().verify(token(None))).tenant == "acme"
    keys = [jwk("rsa-1"), jwk("rsa-2")]
    for signer in ("rsa-1", "rsa-2"):
        with pytest.raises(Unauthenticated):
            await Provider(keys=keys).verifier().verify(token(None, key=rsa_key(signer)))


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    provider = Provider()
    verifier = provider.verifier()
    await asyncio.gather(*(verifier.verify(token()) for _ in range(20)))
    await verifier.verify(token("ec-1", "ES256"))
    assert provider.fetched == 1


async def test_a_new_key_is_found_and_made_up_ones_do_not_trouble_the_provider() -> None:
    provider = Provider()
    verifier = provider.verifier()
    await verifier.verify(token())
    provider.keys.append(jwk("rsa-2"))
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await verifier.verify(token("rsa-2"))
    assert provider.fetched == 1

    provider.now += PAUSE
    assert (await verifier.verify(token("rsa-2"))).tenant == "acme"
    assert provider.fetched == 2


async def test_old_keys_are_replaced_without_anybody_waiting() -> None:
    provider = Provider()
    verifier = provider.verifier()
    await verifier.verify(token())
    provider.now += FRESH + 1
    provider.asked.clear()
    provider.gate.clear()
    provider.keys = [jwk("rsa-2")]
    assert (await verifier.verify(token())).tenant == "acme"
    await asyncio.wait_for(provider.asked.wait(), 5)
    provider.gate.set()
    assert (await verifier.verify(token("rsa-2"))).tenant == "acme"
    with pytest.raises(Unauthenticated):
        await verifier.verify(token())
    assert provider.fetched == 2


async def test_a_caller_that_goes_away_does_not_take_the_keys_from_others() -> None:
    provider = Provider()
    provider.gate.clear()
    verifier = provider.verifier()
    first = asyncio.create_task(verifier.verify(token()))
    second = asyncio.create_task(verifier.verify(token()))
    await asyncio.wait_for(provider.asked.wait(), 5)
    first.cancel()
    provider.gate.set()
    assert (await second).tenant == "acme"
    assert provider.fetched == 1


async def test_a_slow_provider_is_not_asked_again_meanwhile() -> None:
    provider = Provider()
    provider.gate.clear()
    verifier = provider.verifier()
    first = asyncio.create_task(verifier.verify(token()))
    await asyncio.wait_for(provider.asked.wait(), 5)
    provider.now += 2 * PAUSE
    second = asyncio.create_task(verifier.verify(token()))
    await asyncio.sleep(0)
    provider.gate.set()
    assert (await first).tenant == (await second).tenant == "acme"
    assert provider.fetched == 1


async def test_a_provider_that_is_down_is_not_the_client_s_fault() -> None:
    provider = Provider(is_down=True)
    verifier = provider.verifier()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await verifier.verify(token())
    assert provider.fetched == 1

    provider.is_down = False
    provider.now += PAUSE
    assert (await verifier.verify(token())).tenant == "acme"
    provider.is_down = True
    provider.now += MAX_AGE - 1
    assert (await verifier.verify(token())).tenant == "acme"
    provider.now += PAUSE
    with pytest.raises(Unavailable):
        await verifier.verify(token())


async def test_keys_from_a_file_that_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    deep = b'{"keys": [{"x": ' + b"[" * 5000
    keys = KeySet(from_file(path), ("RS256",), iter(range(0, 10_000, 11)).__next__)
    for broken in (None, b"", b"{}", b'{"keys": 1}', b'{"keys": [1]}', deep):
        if broken is not None:
            path.write_bytes(broken)
        with pytest.raises(Unavailable):
            await keys.find("rsa-1", "RS256")
    path.write_text(json.dumps({"keys": [jwk("rsa-1")], "more": 1}))
    assert await keys.find("rsa-1", "RS256")


@asynccontextmanager
async def https(handler: Any) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """A provider's web server; gives its URL and who trusts it."""
    authority, server = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    app = web.Application()
    app.add_routes([web.get("/{name}", handler)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}", client
    finally:
        await runner.cleanup()


async def _serve(request: web.Request) -> web.StreamResponse:
    match request.match_info["name"]:
        case "jwks":
            return web.json_response({"keys": [jwk("rsa-1")]})
        case "huge":
            return web.Response(body=b" " * (MAX_BYTES + 1) + b'{"keys": []}')
        case "moved":
            raise web.HTTPFound("/jwks")
        case "broken":
            return web.json_response({"keys": [jwk("rsa-1")]}, status=500)
        case _:
            raise web.HTTPNotFound


async def test_keys_from_a_url() -> None:
    async with https(_serve) as (url, trusted):
        trust = replace(TRUST, jwks=f"{url}/jwks")
        assert (await JwtVerifier(trust, trust.keys(trusted)).verify(token())).tenant == "acme"
        for name in ("huge", "moved", "broken", "nothing"):
            with pytest.raises(Unavailable):
                await KeySet(from_url(f"{url}/{name}", trusted), ("RS256",)).find("rsa-1", "RS256")
        with pytest.raises(Unavailable):
            await JwtVerifier(trust, trust.keys()).verify(token())

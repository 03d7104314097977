"""TLS on the HTTP door, and what Prometheus reads there."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme
from pydantic import ValidationError

from services.api.app import http_tls
from services.api.http.server import make_app, serve
from services.api.settings import ApiSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.core import Core


async def test_the_door_can_be_opened_with_a_certificate(core: Core, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    settings = ApiSettings(http_tls_cert_file=cert, http_tls_key_file=key)
    app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
    runner, port = await serve(app, "127.0.0.1", 0, tls=http_tls(settings))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    try:
        async with aiohttp.ClientSession(f"https://127.0.0.1:{port}") as session:
            async with session.get("/readyz", ssl=trusting) as answer:
                assert answer.status == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get("/readyz")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_certificate_without_its_key_is_refused(door: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=f"{door}_tls_key_file"):
        ApiSettings.model_validate({f"{door}_tls_cert_file": tmp_path})


def test_without_a_certificate_there_is_no_tls() -> None:
    assert http_tls(ApiSettings()) is None


async def test_prometheus_reads_what_happened(core: Core) -> None:
    app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
    runner, port = await serve(app, "127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"http://127.0.0.1:{port}/metrics")
            text = await answer.text()
    finally:
        await runner.cleanup()
    assert answer.content_type == "text/plain"
    assert "# TYPE stagedoor_rpcs_total counter" in text

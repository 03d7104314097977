"""TLS and mTLS."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme
from grpc import StatusCode, aio

from services.api.grpc.server import serve
from services.api.grpc.tls import Tls
from stagedoor.v1.track_service_pb2 import ListTracksRequest
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub
from tests.support.door import bearer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.core import Core


class Authority:
    """A certificate authority of this test's own, for servers and clients."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        issued = self.ca.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(folder / "cert.pem"), append=True)
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.folder = folder

    def tls(self, *, mutual: bool) -> Tls:
        """What the server is started with."""
        return Tls(
            cert_file=self.folder / "cert.pem",
            key_file=self.folder / "key.pem",
            client_ca_file=self.folder / "ca.pem" if mutual else None,
        )

    def client(self, issuer: trustme.CA | None = None) -> grpc.ChannelCredentials:
        """Credentials of a client that trusts us, and has a certificate of the issuer."""
        own = issuer.issue_cert("client") if issuer else None
        return grpc.ssl_channel_credentials(
            self.ca.cert_pem.bytes(),
            own.private_key_pem.bytes() if own else None,
            own.cert_chain_pems[0].bytes() if own else None,
        )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority that both sides trust."""
    return Authority(tmp_path)


@asynccontextmanager
async def served(core: Core, tls: Tls) -> AsyncIterator[str]:
    """The core behind TLS; gives its address."""
    server = await serve(core.use_cases, "127.0.0.1:0", tls=tls)
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(grace=0)


async def listed(core: Core, channel: aio.Channel) -> int:
    """List the tracks; raises AioRpcError."""
    token = await core.use_cases.tokens.issue("default", "test", ["admin"])
    async with channel:
        stub = TrackServiceStub(channel)
        call = stub.ListTracks(ListTracksRequest(), metadata=bearer(token), timeout=5)
        return (await call).total_size


async def is_let_in(core: Core, channel: aio.Channel) -> bool:
    """Whether a call is answered; without a handshake it is UNAVAILABLE."""
    try:
        await listed(core, channel)
    except aio.AioRpcError as error:
        if error.code() is not StatusCode.UNAVAILABLE:
            raise
        return False
    return True


async def test_clients_that_trust_us_are_served(core: Core, authority: Authority) -> None:
    async with served(core, authority.tls(mutual=False)) as address:
        assert await is_let_in(core, aio.secure_channel(address, authority.client()))
        assert not await is_let_in(core, aio.insecure_channel(address))
        stranger = grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes())
        assert not await is_let_in(core, aio.secure_channel(address, stranger))


async def test_mtls_lets_in_only_clients_that_we_trust(core: Core, authority: Authority) -> None:
    async with served(core, authority.tls(mutual=True)) as address:
        known = authority.client(authority.ca)
        assert await is_let_in(core, aio.secure_channel(address, known))
        for unknown in (authority.client(), authority.client(trustme.CA())):
            assert not await is_let_in(core, aio.secure_channel(address, unknown))


async def test_a_file_that_is_missing_is_told(core: Core, authority: Authority) -> None:
    (authority.folder / "key.pem").unlink()
    with pytest.raises(FileNotFoundError, match=r"key\.pem"):
        await serve(core.use_cases, "127.0.0.1:0", tls=authority.tls(mutual=False))

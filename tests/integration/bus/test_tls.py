"""TLS with the broker: whom we believe, whom it lets in, and that nothing is said in clear."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from shared.bus.bus import Bus
from shared.bus.roles import Role, new_password, role_url, tls_config
from shared.bus.servers import TlsFiles
from tests.support.nats import ACK_WAIT, NatsServer
from tests.support.nats_cluster import Certificates
from tests.support.ports import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LONG_ENOUGH_SECONDS = 1.5
HELLO = {"server_id": "x", "version": "2.15.1", "headers": True, "max_payload": 1 << 20}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=[False, True], ids=["any", "known"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[NatsServer]:
    """A server with TLS that lets any client in, or those only whose certificate it knows."""
    server = NatsServer(tls_config(), **certificates.environment(verify=request.param))
    try:
        server.start()
        yield server
    finally:
        server.remove()


def encrypted(url: str) -> str:
    return url.replace("nats://", "tls://")


async def enters(url: str, role: Role, tls: TlsFiles) -> tuple[bool, str]:
    """Whether a connection comes about, and what the log says about it."""
    with capture_logs() as logs:
        opening = asyncio.create_task(Bus.connect(url, role, tls=tls))
        await asyncio.wait({opening}, timeout=LONG_ENOUGH_SECONDS)
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            return False, " ".join(entry.get("error", "") for entry in logs)
    bus = await opening
    await bus.close()
    return True, ""


async def test_a_bus_over_tls_is_a_bus(server: NatsServer, certificates: Certificates) -> None:
    url = encrypted(server.url(Role.API))
    bus = await Bus.connect(url, Role.API, tls=certificates.known())
    try:
        await bus.ensure_topology(ACK_WAIT)
    finally:
        await bus.close()


async def test_a_client_without_a_certificate_enters_unless_the_server_asks_for_one(
    server: NatsServer, certificates: Certificates, request: pytest.FixtureRequest
) -> None:
    entered, _ = await enters(encrypted(server.url(Role.API)), Role.API, certificates.trusted())
    assert entered is not request.node.callspec.params["server"]


async def test_a_server_of_an_unknown_authority_is_not_believed(
    server: NatsServer, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = TlsFiles(Certificates(tmp_path).ca, *certificates.client)
    for files in (stranger, TlsFiles(None, *certificates.client)):
        entered, why = await enters(encrypted(server.url(Role.API)), Role.API, files)
        assert not entered
        assert "CERTIFICATE_VERIFY_FAILED" in why


async def test_a_wrong_password_is_refused_and_told(
    server: NatsServer, certificates: Certificates
) -> None:
    url = role_url(encrypted(server.url(Role.API)), Role.API, "guess")
    entered, why = await enters(url, Role.API, certificates.known())
    assert not entered
    assert "Authorization Violation" in why
    assert "guess" not in why


@pytest.mark.usefixtures("no_garbage_collection")
async def test_connections_that_were_refused_are_closed(nats_server: NatsServer) -> None:
    async with nats_server.bus(Role.API) as bus:
        nats_server.kill()
        nats_server.passwords[Role.API] = new_password()
        nats_server.start()
        async with asyncio.timeout(20):
            while bus.connected:  # noqa: ASYNC110 - the bus has no event for it
                await asyncio.sleep(0.02)
        before = open_files()
        await asyncio.sleep(3)  # some six tries
        assert not bus.connected
        assert open_files() - before <= 1


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """It would close what is left open, some time or other."""
    gc.disable()
    yield
    gc.enable()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@asynccontextmanager
async def impostor(heard: bytearray) -> AsyncIterator[str]:
    """A server that says that it wants no TLS; the URL to it asks for it all the same."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {json.dumps(HELLO)}\r\n".encode())
        while found := await reader.read(1000):
            heard.extend(found)
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    async with server:
        yield f"tls://{HOST}:{server.sockets[0].getsockname()[1]}"


async def test_no_password_is_said_to_a_server_without_tls(certificates: Certificates) -> None:
    heard = bytearray()
    async with impostor(heard) as url:
        entered, why = await enters(
            role_url(url, Role.API, "secret"), Role.API, certificates.trusted()
        )
    assert (entered, bytes(heard)) == (False, b"")
    assert "NotEncrypted" in why

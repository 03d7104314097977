"""Three real nats-servers that are one cluster, on the product's configuration, all over TLS."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import nats
import pytest
import trustme

from shared.bus.bus import Bus
from shared.bus.errors import BusUnavailable
from shared.bus.roles import Role, cluster_config, new_password, role_url
from shared.bus.servers import TlsFiles
from tests.support.nats import nats_binary
from tests.support.nats_client import connected
from tests.support.ports import HOST, lasting_port
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

NAMES = ("n1", "n2", "n3")
REPLICAS = len(NAMES)
READY_SECONDS = 60.0
ACK_WAIT = timedelta(seconds=2)


class Certificates:
    """An authority of the test's own, a certificate for every server and one for every client."""

    def __init__(self, folder: Path) -> None:
        """Write the PEM files into a folder."""
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        self.server = _issue(authority, folder, HOST)
        self.client = _issue(authority, folder, "client.example.com")

    def trusted(self) -> TlsFiles:
        """What a client takes that shows no certificate."""
        return TlsFiles(ca=self.ca)

    def known(self) -> TlsFiles:
        """What a client takes that shows its own."""
        return TlsFiles(self.ca, *self.client)

    def environment(self, *, verify: bool) -> dict[str, str]:
        """What a server takes; ``verify``: whether clients must show a certificate."""
        cert, key = self.server
        return {
            "STAGEDOOR_NATS_TLS_CERT_FILE": str(cert),
            "STAGEDOOR_NATS_TLS_KEY_FILE": str(key),
            "STAGEDOOR_NATS_TLS_CA_FILE": str(self.ca),
            "STAGEDOOR_NATS_TLS_VERIFY": str(verify).lower(),
        }


class Node(Server):
    """One server of the cluster; ``start`` after ``stop`` or ``kill`` keeps ports and store."""

    def __init__(self, name: str, folder: Path) -> None:
        """Choose its ports; nothing runs yet."""
        self.name = name
        self.port, self.route_port = lasting_port(), lasting_port()
        self._monitor = f"http://{HOST}:{lasting_port()}"
        self.environment: dict[str, str] = {}
        self._store = folder / name
        self._log = folder / f"{name}.log"

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Run it; see ``NatsCluster.ready``."""
        port = self._monitor.rpartition(":")[2]
        where = ("-a", HOST, "-p", str(self.port), "-m", port, "-sd", str(self._store))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [nats_binary(), "-c", str(cluster_config()), *where],
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
            )

    async def follows(self) -> dict[str, int]:
        """Each stream and consumer of which it knows the leader, with the messages in its own copy.

        What the others say of it may be from before it died.
        """
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"{self._monitor}/jsz?consumers=true") as answer:
                    seen = await answer.json()
            except aiohttp.ClientConnectionError:  # it begins
                return {}
        return {
            group["name"]: stream["state"]["messages"]
            for account in seen.get("account_details", [])
            for stream in account.get("stream_detail", [])
            for group in (stream, *stream.get("consumer_detail", []))
            if group.get("cluster", {}).get("leader")
        }

    def wipe(self) -> None:
        """Delete its store; it must not be running."""
        assert self._process is None
        shutil.rmtree(self._store, ignore_errors=True)


class NatsCluster:
    """The three of them. ``kill``, ``stop``, ``freeze``, ``thaw`` and ``wipe`` concern them all."""

    def __init__(self, *, verify: bool = False) -> None:
        """Choose passwords, ports and a folder; nothing runs yet."""
        self._folder = Path(tempfile.mkdtemp(prefix="stagedoor-nats-cluster-"))
        self.passwords = {role: new_password() for role in Role}
        self.certificates = Certificates(self._folder)
        self.nodes = tuple(Node(name, self._folder) for name in NAMES)
        self._verify = verify
        self._route_password = new_password()
        shared = self.environment
        for node in self.nodes:
            listen = f"{HOST}:{node.route_port}"
            own = {"STAGEDOOR_NATS_SERVER_NAME": node.name, "STAGEDOOR_NATS_CLUSTER_LISTEN": listen}
            node.environment = shared | own

    @property
    def environment(self) -> dict[str, str]:
        """What every server takes."""
        word = self._route_password
        routes = ", ".join(
            f'"nats-route://route:{word}@{HOST}:{node.route_port}"' for node in self.nodes
        )
        return {
            **{role.password_variable: password for role, password in self.passwords.items()},
            **self.certificates.environment(verify=self._verify),
            "STAGEDOOR_NATS_ROUTE_PASSWORD": word,
            "STAGEDOOR_NATS_ROUTES": f"[{routes}]",
        }

    @property
    def client_environment(self) -> dict[str, str]:
        """What a service takes besides its URL: whom it believes, and how many copies it wants."""
        return {
            "STAGEDOOR_NATS_CA_FILE": str(self.certificates.ca),
            "STAGEDOOR_NATS_REPLICAS": str(REPLICAS),
        }

    def url(self, role: Role, *nodes: Node) -> str:
        """The addresses of all, or of these, with the user and password of a role."""
        bare = ",".join(f"tls://{HOST}:{node.port}" for node in nodes or self.nodes)
        return role_url(bare, role, self.passwords[role])

    @asynccontextmanager
    async def bus(self, role: Role, *nodes: Node) -> AsyncIterator[Bus]:
        """A connection as a role, to any or to one of these, closed at the end."""
        files = self.certificates.known() if self._verify else self.certificates.trusted()
        bus = await Bus.connect(self.url(role, *nodes), role, tls=files, replicas=REPLICAS)
        try:
            yield bus
        finally:
            await bus.close()

    @asynccontextmanager
    async def client(self, role: Role, *nodes: Node) -> AsyncIterator[Client]:
        """A connection of the client library itself, to see and try what ``Bus`` does not offer."""
        tls = self.certificates.known().context()
        url = self.url(role, *nodes)
        async with connected(url, tls=tls, inbox_prefix=role.inbox) as client:
            yield client

    async def start(self) -> None:
        """Run those that do not run and return when the cluster has its streams."""
        for node in self.nodes:
            if not node.runs:
                node.start()
        await self.ready()

    async def ready(self) -> None:
        """Return when the cluster keeps streams again; raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS), self.bus(Role.API) as bus:
            while True:
                try:
                    return await bus.ensure_topology(ACK_WAIT)
                except BusUnavailable:
                    await asyncio.sleep(0.05)

    async def leader(self, stream: str) -> Node:
        """Which of them leads a stream now."""
        async with asyncio.timeout(READY_SECONDS), self.client(Role.API) as client:
            while True:
                try:
                    info = await client.jetstream().stream_info(stream)
                except (nats.errors.Error, TimeoutError):
                    info = None
                if info and info.cluster and info.cluster.leader:
                    return next(n for n in self.nodes if n.name == info.cluster.leader)
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Stop all in order."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill all as a power cut would."""
        for node in self.nodes:
            node.kill()

    def freeze(self) -> None:
        """Make all hang without dying."""
        for node in self.nodes:
            node.freeze()

    def thaw(self) -> None:
        """Let all go on."""
        for node in self.nodes:
            node.thaw()

    def wipe(self) -> None:
        """Delete all stores; none may be running."""
        for node in self.nodes:
            node.wipe()

    def remove(self) -> None:
        """Kill all and delete everything they wrote."""
        self.kill()
        shutil.rmtree(self._folder)


def _issue(authority: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
    issued = authority.issue_cert(name)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(str(cert), append=number > 0)
    issued.private_key_pem.write_to_path(str(key))
    return cert, key


@pytest.fixture
async def nats_cluster() -> AsyncIterator[NatsCluster]:
    """A running cluster of this test's own."""
    cluster = NatsCluster()
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.remove()

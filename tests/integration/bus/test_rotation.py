"""New passwords while the broker runs: two users for a time, or one server of a cluster by one."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from shared.bus import subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.bus.roles import Role, new_password, role_url, server_config
from tests.support.nats import ACK_WAIT, NatsServer, nats_binary
from tests.support.nats_cluster import NatsCluster, nats_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["nats_cluster"]

OLD = '{user: downloader, password: "p-old", permissions: $downloader_may}'
NEW = '{user: downloader-2, password: "p-new", permissions: $downloader_may}'
API = "{user: api, password: $STAGEDOOR_NATS_API_PASSWORD, permissions: $api_may}"


class OwnUsers:
    """A server with a configuration of an operator's own around the product's."""

    def __init__(self, folder: Path) -> None:
        for name in ("nats-server.conf", "nats-roles.conf"):
            shutil.copy(server_config().with_name(name), folder)
        self._config = folder / "own.conf"
        self._write(OLD)
        self.server = NatsServer(self._config)

    def reload(self, *users: str) -> None:
        """Let these workers in, as an operator would tell the server."""
        self._write(*users)
        signal = f"reload={self.server.process.pid}"
        subprocess.run([nats_binary(), "--signal", signal], check=True, capture_output=True)

    def url(self, user: str, password: str) -> str:
        _, _, address = self.server.url(Role.API).rpartition("@")
        return f"nats://{user}:{password}@{address}"

    def _write(self, *users: str) -> None:
        entries = "\n".join([API, *users])
        text = f'include "nats-server.conf"\nauthorization {{ users: [\n{entries}\n] }}\n'
        self._config.write_text(text)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnUsers]:
    own = OwnUsers(tmp_path)
    try:
        own.server.start()
        yield own
    finally:
        own.server.remove()


async def report(bus: Bus) -> None:
    """Publish as a downloader, for as long as the broker cannot be asked."""
    task = uuid4()
    async with asyncio.timeout(40):
        while True:
            try:
                letter = Envelope(type="t", id=str(task))
                return await bus.publish(subjects.report("download", task), b"", letter)
            except BusUnavailable:
                await asyncio.sleep(0.05)


async def until_gone(bus: Bus) -> None:
    async with asyncio.timeout(20):
        while bus.connected:  # noqa: ASYNC110 - the bus has no event for it
            await asyncio.sleep(0.05)


async def test_two_users_may_be_the_same_role_and_the_old_one_goes_by_a_reload(
    own: OwnUsers,
) -> None:
    async with own.server.bus(Role.API) as api:
        await api.ensure_topology(ACK_WAIT)
    old = await Bus.connect(own.url("downloader", "p-old"), Role.DOWNLOADER)
    own.reload(OLD, NEW)
    async with asyncio.timeout(10):
        new = await Bus.connect(own.url("downloader-2", "p-new"), Role.DOWNLOADER)
    try:
        for bus in (old, new):
            await report(bus)
        own.reload(NEW)
        await until_gone(old)
        assert new.connected
        await report(new)
    finally:
        await old.close()
        await new.close()


@pytest.mark.long
async def test_a_cluster_takes_a_new_password_one_server_after_the_other(
    nats_cluster: NatsCluster,
) -> None:
    word = new_password()
    role, tls = Role.DOWNLOADER, nats_cluster.certificates.trusted()
    first, *others = nats_cluster.nodes
    async with nats_cluster.bus(role) as old:
        for number, node in enumerate((first, *others)):
            node.stop()
            node.environment[role.password_variable] = word
            node.start()
            if number == 0:
                url = role_url(nats_cluster.url(role), role, word)
                async with asyncio.timeout(30):
                    new = await Bus.connect(url, role, tls=tls)
                await report(old)  # there are servers that it may enter still
            await report(new)
            await nats_cluster.ready()
        await until_gone(old)
        await report(new)
        await new.close()

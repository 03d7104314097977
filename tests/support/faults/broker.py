"""The broker of a system, and an operator of it, who may do what no service may."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nats.js.api import DiscardPolicy

from cli.stack.child import Launch
from cli.stack.services import NatsServer
from shared.bus import streams
from shared.bus.roles import Role, new_password, server_config
from tests.support.nats_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from nats.js import JetStreamContext

    from tests.support.faults.system import System

STREAMS = (streams.WORK, streams.REPORTS, streams.EVENTS)
CONSUMERS = (
    (streams.WORK, streams.DOWNLOAD_CONSUMER),
    (streams.WORK, streams.VALIDATE_CONSUMER),
    (streams.REPORTS, streams.API_CONSUMER),
)
_OPERATOR = "operator"


class OperatedBroker(NatsServer):
    """The product's broker on the product's configuration, with one user more."""

    def __init__(self, env: Mapping[str, str], folder: Path, store: Path) -> None:
        """See ``NatsServer``."""
        super().__init__(env, folder, store)
        self._password = new_password()
        self._config = folder / "operated.conf"
        for name in ("nats-server.conf", "nats-roles.conf"):
            shutil.copy(server_config().with_name(name), folder)
        users = [_user(role, f"${role.password_variable}", f"${role}_may") for role in Role]
        listed = "\n".join([*users, _user(_OPERATOR, f'"{self._password}"')])
        text = f'include "nats-server.conf"\nauthorization {{ users: [\n{listed}\n] }}\n'
        self._config.write_text(text)

    def launch(self) -> Launch:
        """How to start it now."""
        launch = super().launch()
        ours = {str(server_config()): str(self._config)}
        return Launch([ours.get(word, word) for word in launch.command], launch.env)

    def operator_url(self) -> str:
        """Where the operator finds it."""
        address = self.url(Role.API).rpartition("@")[2]
        return f"nats://{_OPERATOR}:{self._password}@{address}"


def _user(name: str, password: str, permissions: str = "") -> str:
    may = f", permissions: {permissions}" if permissions else ""
    return f"{{user: {name}, password: {password}{may}}}"


@asynccontextmanager
async def operator(system: System) -> AsyncIterator[JetStreamContext]:
    """The streams of a system's single broker, with every right."""
    async with connected(system.operator_url()) as client:
        yield client.jetstream()


async def shrink(system: System, stream: str) -> int:
    """Let a stream take no byte more than it has, refusing what is beyond; gives its size."""
    async with operator(system) as js:
        info = await js.stream_info(stream)
        config = replace(info.config, discard=DiscardPolicy.NEW)
        size = info.state.bytes + 1
        await js.update_stream(config, max_bytes=size)
    return size


async def waiting(system: System, stream: str) -> int:
    """How many messages a stream has."""
    async with operator(system) as js:
        return (await js.stream_info(stream)).state.messages


async def topology(system: System) -> dict[str, Any]:
    """Every stream and consumer that the product needs, by name: what it is configured as."""
    found: dict[str, Any] = {}
    async with operator(system) as js:
        for stream in STREAMS:
            found[stream] = (await js.stream_info(stream)).config
        for stream, name in CONSUMERS:
            config = (await js.consumer_info(stream, name)).config
            found[f"{stream} {name}"] = replace(config, num_replicas=None)
    return found

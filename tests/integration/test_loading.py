"""What each process has loaded when it is ready: most of a start is loading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.bus.roles import Role
from tests.support.loading import OURS, UP, command, environment, loaded, package, service
from tests.support.nats import nats_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.nats import NatsServer

__all__ = ["nats_server"]

SETTINGS = {
    *("annotated_types", "dotenv", "pydantic", "pydantic_core", "pydantic_settings"),
    *("typing_extensions", "typing_inspection"),
}
# What a worker stands on: settings, logs, traces, the broker and what travels over it.
WORKER = {*SETTINGS, "google", "greenlet", "nats", "opentelemetry", "structlog", "uuid_utils"}
WORKERS = {
    Role.DOWNLOADER: {*WORKER, "h11"},
    Role.VALIDATOR: {*WORKER, "msgspec"},
    Role.PUBLISHER: {*WORKER, "msgspec"},
}
HTTP = {
    *("aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "frozenlist", "idna", "multidict"),
    *("propcache", "yarl"),
}
GRPC = {
    *("cython_runtime", "grpc", "grpc_health", "grpc_reflection", "grpc_status", "grpc_tools"),
}
# Two doors, a SQLite database, secrets and counters. Not among them: what PostgreSQL, mail, an
# identity provider, languages or the reference page take.
API = {
    *(*WORKER, *HTTP, *GRPC),
    *("aiosqlite", "cryptography", "h11", "msgspec", "prometheus_client", "sqlalchemy"),
}
STEPS = {"alembic", "mako", "markupsafe"}
COMMAND = {"annotated_doc", "shellingham", "typer"}
# The command's library checks with pydantic what a command is given.
UP_TAKES = {*COMMAND, *SETTINGS} - {"dotenv", "pydantic_settings"}


def others(modules: dict[str, float]) -> set[str]:
    """The packages of other people."""
    return {package(name) for name in modules} - OURS - {""}


@pytest.mark.parametrize("role", WORKERS)
def test_a_worker_loads_nothing_that_it_does_not_use_yet(
    role: Role, nats_server: NatsServer, tmp_path: Path
) -> None:
    assert others(loaded(service(role), environment(tmp_path, nats_server, role))) <= WORKERS[role]


def test_the_api_loads_steps_only_if_there_are_some(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    api = service(Role.API, "--prepare", str(tmp_path / "token"))
    environ = environment(tmp_path, nats_server)

    first = loaded(api, environ)
    assert others(first) <= API | STEPS
    assert "alembic" in first

    again = loaded(api, environ)
    assert others(again) <= API


def test_help_loads_no_more_than_the_command_s_library(tmp_path: Path) -> None:
    modules = loaded(command("--help"), environment(tmp_path))
    assert others(modules) <= COMMAND
    assert not {name for name in modules if name.startswith(("cli.stack.", "services."))}


def test_the_supervisor_loads_nothing_of_its_children(tmp_path: Path) -> None:
    modules = loaded(UP, environment(tmp_path))
    assert others(modules) <= UP_TAKES
    assert not {name for name in modules if name.startswith("services.")}

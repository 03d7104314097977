"""What the programs of the stack are started with, and how they say that they are ready."""

from __future__ import annotations

import os
import stat
import sysconfig
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.stack import services
from cli.stack.child import START_SECONDS, Child, StartError
from cli.stack.services import ApiService, NatsServer, PythonService
from cli.stack.supervisor import Options, environment
from shared.bus.bus import Bus
from shared.bus.roles import Role
from shared.private import write_private

LISTEN = {"STAGEDOOR_HTTP_LISTEN": "0.0.0.0:0", "STAGEDOOR_GRPC_LISTEN": "[::1]:0"}


def _options(folder: Path) -> Options:
    return Options(data_dir=folder, http="127.0.0.1:0", grpc="127.0.0.1:0")


def test_what_an_earlier_run_said_is_not_believed(tmp_path: Path) -> None:
    service = PythonService("validator-1", Role.VALIDATOR, {}, tmp_path)
    ready = tmp_path / "validator-1.json"
    write_private(ready, '{"pid": 7}')
    assert service.answer(7) == {"pid": 7}
    assert service.answer(8) is None
    launch = service.launch()
    assert not ready.exists()
    assert launch.env["STAGEDOOR_READY_FILE"] == str(ready)
    assert list(launch.command[1:]) == ["-m", "services.validator"]


def test_the_api_keeps_its_ports(tmp_path: Path) -> None:
    api = ApiService("api", Role.API, LISTEN, tmp_path, tmp_path / "token")
    write_private(tmp_path / "api.json", '{"pid": 7, "http": "http://h:81", "grpc": "h:82"}')
    assert api.answer(7)
    env = api.launch().env
    assert env["STAGEDOOR_HTTP_LISTEN"] == "0.0.0.0:81"
    assert env["STAGEDOOR_GRPC_LISTEN"] == "[::1]:82"


def test_the_api_prepares_the_database_once_and_may_take_its_time(tmp_path: Path) -> None:
    api = ApiService("api", Role.API, LISTEN, tmp_path, tmp_path / "token")
    prepare = ["--prepare", str(tmp_path / "token")]
    for _ in range(2):  # as long as it never was ready
        assert list(api.launch().command[1:]) == ["-m", "services.api", *prepare]
        assert api.start_seconds is None
    write_private(tmp_path / "api.json", '{"pid": 7, "http": "http://h:81", "grpc": "h:82"}')
    assert api.answer(7)
    assert list(api.launch().command[1:]) == ["-m", "services.api"]
    assert api.start_seconds == START_SECONDS


async def test_the_broker_keeps_its_port_and_its_users(tmp_path: Path) -> None:
    broker = NatsServer(dict(os.environ), tmp_path, tmp_path / "nats-store")
    child = Child(broker, lambda: None)
    try:
        await child.start()
        urls = {role: broker.url(role) for role in Role}
        child.kill()
        await child.start()
        assert {role: broker.url(role) for role in Role} == urls
        for role in Role:
            bus = await Bus.connect(urls[role], role)
            await bus.close()
    finally:
        await child.stop()


async def test_the_brokers_passwords_are_seen_by_nobody_else(tmp_path: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "nats"
    run.mkdir()
    broker = NatsServer(dict(os.environ), run, store)
    child = Child(broker, lambda: None)
    try:
        await child.start()
        words = [str(urlsplit(broker.url(role)).password).encode() for role in Role]
        assert len({*words}) == len(Role)
        assert {urlsplit(url).hostname for url in child.answer["nats"]} == {"127.0.0.1"}
        assert child.pid
        seen = _seen_by_all(child.pid, tmp_path)
        assert str(store).encode() in seen
        assert not any(word in seen for word in words)
    finally:
        await child.stop()


def _seen_by_all(pid: int, folder: Path) -> bytes:
    """What other users see of a process; its files count whoever may read them."""
    process = Path("/proc") / str(pid)
    assert stat.S_IMODE((process / "environ").stat().st_mode) == 0o400
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return (process / "cmdline").read_bytes() + written


def test_a_missing_broker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(StartError, match="nats-server is not installed"):
        services.nats_binary()


def test_defaults_are_in_the_data_folder(tmp_path: Path) -> None:
    env = environment(_options(tmp_path), {"PATH": "/bin"})
    assert env["STAGEDOOR_DATABASE_URL"] == f"sqlite+aiosqlite:///{tmp_path}/stagedoor.db"
    assert env["STAGEDOOR_BLOBS_URL"] == f"file://{tmp_path}/blobs"
    assert env["STAGEDOOR_DATA_DIR"] == str(tmp_path)
    assert env["PATH"] == "/bin"


def test_what_the_user_set_wins(tmp_path: Path) -> None:
    chosen = {
        "STAGEDOOR_DATABASE_URL": "postgresql+asyncpg://db/stagedoor",
        "STAGEDOOR_BLOBS_URL": "s3://masters",
        "STAGEDOOR_NATS_URL": "nats://elsewhere:4222",
        "STAGEDOOR_LEASE_SECONDS": "5",
    }
    assert environment(_options(tmp_path), chosen).items() >= chosen.items()

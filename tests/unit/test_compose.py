"""Every command, module, variable, port and file in the container files exists in the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from services.api.secrets import SecretKeys
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.publisher.settings import PublisherSettings
from services.validator.settings import ValidatorSettings
from shared.bus.roles import Role, server_config

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
SETTINGS: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "migrate": ApiSettings,
    "downloader": DownloaderSettings,
    "validator": ValidatorSettings,
    "publisher": PublisherSettings,
}
FLEETS = ["downloader", "validator", "publisher"]


def _variables(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper() for name in settings.model_fields}


def _module_commands() -> list[list[str]]:
    found = [service["command"] for service in SERVICES.values() if "build" in service]
    checks = [
        service["healthcheck"]["test"][1:]
        for service in SERVICES.values()
        if "healthcheck" in service
    ]
    documented = re.findall(r"^# +docker compose exec api (python .*)$", _text(), re.MULTILINE)
    (default,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    every = [*found, *checks, *map(str.split, documented), yaml.safe_load(default)]
    return [command for command in every if command[:2] == ["python", "-m"]]


def _text() -> str:
    return (ROOT / "docker-compose.yml").read_text()


def _secrets() -> dict[str, str]:
    printed = subprocess.run([ROOT / "deploy" / "make-env"], capture_output=True, check=True)
    return dict(line.split("=", 1) for line in printed.stdout.decode().split())


@pytest.mark.parametrize("command", _module_commands(), ids=" ".join)
def test_a_command_is_a_program_of_ours(command: list[str]) -> None:
    module, *arguments = command[2:]
    assert find_spec(f"{module}.__main__" if _is_package(module) else module)
    if arguments:
        parsed = subprocess.run(
            [sys.executable, "-m", module, *arguments, "--help"], capture_output=True, check=False
        )
        assert parsed.returncode == 0, parsed.stderr.decode()


def _is_package(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


@pytest.mark.parametrize("name", OURS)
def test_a_variable_is_a_setting_of_the_service_that_gets_it(name: str) -> None:
    given = {v for v in SERVICES[name]["environment"] if v.startswith("STAGEDOOR_")}
    assert given <= _variables(SETTINGS[name])


def test_a_variable_of_the_image_is_a_setting() -> None:
    given = set(re.findall(r"\b(STAGEDOOR_[A-Z_]+)=", DOCKERFILE))
    assert given == {"STAGEDOOR_DATA_DIR", "STAGEDOOR_HTTP_LISTEN", "STAGEDOOR_GRPC_LISTEN"}
    assert given <= _variables(ApiSettings)


def test_workers_never_see_the_database() -> None:
    for name in FLEETS:
        assert "STAGEDOOR_DATABASE_URL" not in SERVICES[name]["environment"]


def test_ports_are_those_that_the_api_listens_on() -> None:
    settings = ApiSettings.model_fields
    defaults = [settings[f"{door}_listen"].default.rpartition(":")[2] for door in ("http", "grpc")]
    assert re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE) == [" ".join(defaults)]
    assert re.findall(r"_LISTEN=0\.0\.0\.0:(\d+)", DOCKERFILE) == defaults
    assert SERVICES["api"]["ports"] == [f"{port}:{port}" for port in defaults]


@pytest.mark.parametrize("name", ["api", *FLEETS])
def test_each_role_is_its_own_user_of_the_broker(name: str) -> None:
    url = urlsplit(SERVICES[name]["environment"]["STAGEDOOR_NATS_URL"])
    role = Role(name)
    assert (url.scheme, url.username, url.hostname, url.port) == ("nats", role, "nats", 4222)
    # The password is the very variable from which the broker takes it.
    expected = SERVICES["nats"]["environment"][role.password_variable]
    assert url.password == re.sub(r":\?[^}]*", "", expected)


def test_the_broker_runs_on_our_configuration() -> None:
    mounts = [v.split(":") for v in SERVICES["nats"]["volumes"] if v.endswith(":ro")]
    sources = {target: ROOT / source for source, target, _ in mounts}
    command = SERVICES["nats"]["command"]
    config = Path(command[command.index("--config") + 1])
    assert sources.pop(str(config)).samefile(server_config())
    # What it includes lies beside it, and nothing else does.
    included = re.findall(r'^include "(.+)"$', server_config().read_text(), re.MULTILINE)
    assert sources.keys() == {str(config.with_name(name)) for name in included}
    assert all(file.samefile(server_config().with_name(file.name)) for file in sources.values())
    wanted = set(re.findall(r"\$(STAGEDOOR_\w+)", server_config().read_text()))
    assert wanted == set(SERVICES["nats"]["environment"])


def test_the_broker_takes_its_command_line(tmp_path: Path) -> None:
    given = {**os.environ, **dict.fromkeys(SERVICES["nats"]["environment"], "pw")}
    arguments = [str(argument) for argument in SERVICES["nats"]["command"]]
    places = {"/etc/nats/nats-server.conf": str(server_config()), "/data": str(tmp_path)}
    command = [places.get(argument, argument) for argument in arguments]
    server = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert server
    checked = subprocess.run([server, *command, "-t"], env=given, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()


def test_every_secret_is_made_and_none_is_made_in_vain() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+)", _text())) - {"STAGEDOOR_PUBLIC_URL"}
    made = _secrets()
    assert set(made) == wanted
    assert len(set(made.values())) == len(made)
    assert SecretKeys.parse(made.pop("STAGEDOOR_SECRETS_KEY")).keys
    # nats-server reads a password that starts with a digit as a number.
    assert all(re.fullmatch(r"p[0-9a-f]{48}", secret) for secret in made.values())


def test_the_bucket_is_the_one_that_the_workers_use() -> None:
    assert SERVICES["store-bucket"]["entrypoint"] == ["mkdir", "-p", "/data/masters"]
    for name in ("api", *FLEETS):
        environment = SERVICES[name]["environment"]
        assert urlsplit(environment["STAGEDOOR_BLOBS_URL"]).netloc == "masters"
        assert urlsplit(environment["AWS_ENDPOINT_URL"]).netloc == "store:7070"
        assert environment["AWS_ACCESS_KEY_ID"] == _store("ROOT_ACCESS_KEY_ID")
        assert environment["AWS_SECRET_ACCESS_KEY"] == _store("ROOT_SECRET_ACCESS_KEY")


def _store(variable: str) -> object:
    return SERVICES["store"]["environment"][variable]


@pytest.mark.parametrize("name", FLEETS)
def test_a_fleet_can_grow(name: str) -> None:
    assert not {"container_name", "ports"} & set(SERVICES[name])
    check = SERVICES[name]["healthcheck"]["test"]
    assert check == ["CMD", "test", "-s", SERVICES[name]["environment"]["STAGEDOOR_READY_FILE"]]


def test_whoever_is_waited_for_as_healthy_has_a_health_check() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert ("healthcheck" in SERVICES[other]) == (how["condition"] == "service_healthy")


def test_the_image_is_built_from_what_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored

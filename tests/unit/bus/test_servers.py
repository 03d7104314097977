"""Which servers a setting names, as whom, and that no password is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from shared.bus.roles import Role, cluster_config, role_url, tls_config
from shared.bus.servers import Servers, TlsFiles
from shared.settings import ServiceSettings
from tests.support.nats_cluster import Certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "urls", "user", "password"),
    [
        ("nats://h:4222", ["nats://h:4222"], None, None),
        ("nats://api:p%2Cw%40@h:4222", ["nats://h:4222"], "api", "p,w@"),
        ("tls://api:pw@a:1, tls://api:pw@b:2", ["tls://a:1", "tls://b:2"], "api", "pw"),
        ("tls://api:pw@a:1,tls://b:2", ["tls://a:1", "tls://b:2"], "api", "pw"),
        ("tls://api:pw@[::1]:1", ["tls://[::1]:1"], "api", "pw"),
    ],
)
def test_servers_are_read(text: str, urls: list[str], user: str, password: str) -> None:
    assert Servers.parse(text) == Servers(tuple(urls), user, password)


@pytest.mark.parametrize(
    "text",
    [
        "nats://api:secret@a,tls://api:secret@b",
        "nats://api:secret@a,nats://api:other@b",
        "ws://api:secret@a",
        "nats://api:secret@a,",
        "api:secret@a:4222",
        "",
    ],
)
def test_what_cannot_be_meant_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="broker") as refused:
        Servers.parse(text)
    assert "secret" not in str(refused.value)


def test_a_role_enters_every_server_as_itself() -> None:
    url = role_url("tls://a:1,tls://old:pw@b:2", Role.API, "p,w")
    assert url == "tls://api:p%2Cw@a:1,tls://api:p%2Cw@b:2"
    assert Servers.parse(url).password == "p,w"


def test_a_setting_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refused:
        ServiceSettings(nats_url="nats://api:secret@a,tls://api:secret@b")
    assert "secret" not in str(refused.value)
    with pytest.raises(ValidationError, match="set together"):
        ServiceSettings(nats_cert_file=tmp_path / "cert.pem")


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    settings = ServiceSettings(nats_ca_file=Certificates(tmp_path).ca)
    assert settings.nats_tls().context().get_ca_certs()
    with pytest.raises(OSError, match="No such file"):
        TlsFiles(ca=tmp_path / "nothing").context()


def test_the_configurations_are_there() -> None:
    assert tls_config().is_file()
    assert cluster_config().is_file()

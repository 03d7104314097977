"""Who may speak on the bus: one user, inbox prefix and password for each role.

What each may say and hear is in nats-roles.conf, which every deployment uses.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


class Role(StrEnum):
    """A user of the broker."""

    API = "api"
    DOWNLOADER = "downloader"
    VALIDATOR = "validator"
    PUBLISHER = "publisher"

    @property
    def inbox(self) -> str:
        """The prefix of the subjects on which it hears answers; nobody else may listen there."""
        return f"_INBOX.{self.value}"

    @property
    def password_variable(self) -> str:
        """The environment variable from which nats-server.conf takes its password."""
        return f"STAGEDOOR_NATS_{self.value.upper()}_PASSWORD"


def server_config() -> Path:
    """The configuration of a single nats-server; port and store go on its command line."""
    return _file("nats-server.conf")


def tls_config() -> Path:
    """The same with TLS for clients."""
    return _file("nats-tls.conf")


def cluster_config() -> Path:
    """The same with TLS, for one server of a cluster."""
    return _file("nats-cluster.conf")


def _file(name: str) -> Path:
    return Path(str(files("shared.bus") / name))


def new_password() -> str:
    """A fresh password.

    It starts with a letter because nats-server would read other ones as numbers.
    """
    return f"p{secrets.token_hex(24)}"


def role_url(url: str, role: Role, password: str) -> str:
    """The URL, or each of several, with the user and password of a role."""
    return ",".join(_as_user(one, role, password) for one in url.split(","))


def _as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))

"""Where the server is and who we are there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER: Final = "STAGEDOOR_SERVER"
TOKEN: Final = "STAGEDOOR_TOKEN"  # noqa: S105 - the name of a variable
DATA_DIR: Final = "STAGEDOOR_DATA_DIR"
READY_FILE: Final = "ready.json"
DEFAULT_DATA_DIR: Final = "var"


@dataclass(frozen=True, slots=True)
class Location:
    """A gRPC server as ``host:port``, and the token for it."""

    server: str
    token: str


def locate(environ: Mapping[str, str] = os.environ) -> Location:
    """The server that the environment names, else the one of the default data folder.

    Raises CommandError when there is none.
    """
    server, token = environ.get(SERVER, ""), environ.get(TOKEN, "")
    if not server:
        ready = _ready(Path(environ.get(DATA_DIR) or DEFAULT_DATA_DIR) / READY_FILE)
        return Location(ready["grpc"], token or ready["token"])
    if not token:
        raise CommandError("NO_TOKEN", f"{SERVER} is set, but {TOKEN} is not.")
    return Location(server, token)


def _ready(file: Path) -> Mapping[str, str]:
    try:
        ready = json.loads(file.read_bytes())
    except FileNotFoundError:
        hint = f"Set {SERVER} and {TOKEN}, or run `stagedoor up`"
        raise CommandError("NO_SERVER", f"{hint}: there is no {file}.") from None
    except (OSError, ValueError) as error:
        raise CommandError("NO_SERVER", f"{file} cannot be read: {error}.") from None
    if not isinstance(ready, dict) or not {"grpc", "token"} <= ready.keys():
        raise CommandError("NO_SERVER", f"{file} does not say where the server is.")
    return ready

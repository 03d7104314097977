"""What a system is made of, and the settings that make its clocks quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LEASE_SECONDS: Final = 2.0
DISPATCH_SECONDS: Final = 0.5
QUICK: Final = {
    "STAGEDOOR_LEASE_SECONDS": f"{LEASE_SECONDS}",
    "STAGEDOOR_DISPATCH_SECONDS": f"{DISPATCH_SECONDS}",
    "STAGEDOOR_RETRY_BASE_SECONDS": "0.2",
    "STAGEDOOR_MAX_ATTEMPTS": "5",
    "STAGEDOOR_DOWNLOAD_BACKOFF_SECONDS": "0.02",
    "STAGEDOOR_DOWNLOAD_ALLOW_NETWORKS": "127.0.0.0/8",
    "STAGEDOOR_DOWNLOAD_ALLOW_PORTS": "1024-65535",
    # The rest of the machine is other systems under test, which would all go first.
    "STAGEDOOR_VALIDATOR_NICENESS": "0",
}
"""The defaults of every process of a system; a test may set others, also for one role."""

WORKER_NATS: Final = "worker-nats"
API_NATS: Final = "api-nats"
WORKER_ORIGIN: Final = "worker-origin"
API_DATABASE: Final = "api-database"
STORE: Final = "store"
LINKS: Final = (WORKER_NATS, API_NATS, WORKER_ORIGIN, API_DATABASE, STORE)
"""The links that can be made to go through a proxy: the last two in a fleet only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which engines, and how many processes of each service. SQLite takes one API."""

    database: Literal["sqlite", "postgresql"] = "sqlite"
    store: Literal["folder", "s3"] = "folder"
    apis: int = 1
    downloaders: int = 1
    validators: int = 1
    publishers: int = 0


LAPTOP: Final = Shape()
PUBLISHING: Final = Shape(publishers=1)
FLEET: Final = Shape(database="postgresql", store="s3", apis=3, downloaders=2, validators=2)

"""aiohttp without a store: what the library takes for the same documents."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID, uuid4

from aiohttp import web
from documents import MEDIA_TYPE, page, single

NOW = datetime.now(UTC)


def task(id_: UUID) -> SimpleNamespace:
    """A task that nobody stored."""
    return SimpleNamespace(
        id=id_,
        source_uri="https://cdn.example.com/master.wav",
        isrc="USRC17607839",
        declared_md5=None,
        status="completed",
        size_bytes=1,
        actual_md5="0" * 32,
        created_at=NOW,
        updated_at=NOW,
        delivery_profile=None,
        attempts=2,
        generation=1,
    )


TASKS = [task(uuid4()) for _ in range(20)]


def answer(document: object, status: int = 200) -> web.Response:
    """A document on the wire."""
    return web.Response(text=json.dumps(document), status=status, content_type=MEDIA_TYPE)


async def get(request: web.Request) -> web.Response:
    """One task."""
    return answer(single(task(UUID(request.match_info["id"]))))


async def list_(request: web.Request) -> web.Response:
    """A page."""
    number, size = int(request.query["page[number]"]), int(request.query["page[size]"])
    return answer(page(TASKS[:size], number, size, 100_000))


async def create(request: web.Request) -> web.Response:
    """Read a document and answer with another."""
    document = await request.json()
    made = task(uuid4())
    made.source_uri = document["data"]["attributes"]["url"]
    return answer(single(made), 201)


app = web.Application()
app.add_routes(
    [
        web.get("/api/v1/atmos-import-tasks/{id}", get),
        web.get("/api/v1/atmos-import-tasks", list_),
        web.post("/api/v1/atmos-import-tasks", create),
    ]
)
if __name__ == "__main__":
    if os.environ.get("LOOP") == "uvloop":
        import uvloop

        uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)

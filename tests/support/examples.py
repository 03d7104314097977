"""Records what the API really answers, as examples for its description.

``python -m tests.support.examples`` writes them; a test compares them with what is answered now.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from services.api.domain.principal import SCOPES
from services.api.http.openapi.document import EXAMPLES
from services.api.http.server import make_app
from tests.support.core import a_principal, migrate, open_core
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task, serving

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Answer

ATOMIC_TYPE = f'{MEDIA_TYPE};ext="https://jsonapi.org/ext/atomic"'

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET = re.compile(r"expires=\d+&signature=[\w-]{43}", re.ASCII)
_WHSEC = re.compile(r"whsec_[\w+/]{43}=", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def _ready() -> bool:
    return True


async def record(core: Core) -> dict[str, Any]:
    """What is asked and answered along the life of a task, by the operation's id."""
    app = make_app(core.use_cases, public_url="https://domain.com", ready=_ready)
    token = await core.use_cases.tokens.issue("default", "examples", SCOPES)
    async with serving(app) as session:
        recorder = _Recorder(Client(session, token))
        await _play(recorder, core)
    return recorder.recorded


async def _play(recorder: _Recorder, core: Core) -> None:
    track = await recorder.add("createTracks", "POST", "/tracks", _track())
    await recorder.add("getTracks", "GET", f"/tracks/{track}")
    await recorder.add("changeTracks", "PATCH", f"/tracks/{track}", _track(track))
    await recorder.add("listTracks", "GET", "/tracks?sort=-createdAt")
    wanted = new_task(track, sourceHeaders={"Authorization": "Bearer 6f1d0c2e"})
    task = await recorder.add("createAtmosImportTasks", "POST", "/atmos-import-tasks", wanted)
    at = f"/atmos-import-tasks/{task}"
    await recorder.add("getAtmosImportTasksTrack", "GET", f"{at}/track")
    linkage = f"{at}/relationships/track"
    await recorder.add("getAtmosImportTasksTrackLinkage", "GET", linkage)
    new = {"data": {"type": "tracks", "id": track}}
    await recorder.add("changeAtmosImportTasksTrackLinkage", "PATCH", linkage, new)
    await core.complete(await core.use_cases.import_tasks.get(a_principal(), UUID(task)))
    await recorder.add("getAtmosImportTasks", "GET", f"{at}?include=track,record")
    await recorder.add(
        "listAtmosImportTasks", "GET", "/atmos-import-tasks?filter[status]=completed"
    )
    record_id = await recorder.add("getAtmosImportTasksRecord", "GET", f"{at}/record")
    await recorder.add("getRecords", "GET", f"/records/{record_id}")
    await recorder.add("listRecords", "GET", "/records?filter[isrc]=USRC12345678")
    await recorder.add("getRecordsImportTask", "GET", f"/records/{record_id}/import-task")
    operations = [{"op": "add", "data": _track()["data"]}]
    await recorder.add("runOperations", "POST", "/operations", {"atomic:operations": operations})
    new_link = {"data": {"type": "download-links", "attributes": {"ttlSeconds": 600}}}
    at = f"/records/{record_id}/download-links"
    await recorder.add("createRecordsDownloadLinks", "POST", at, new_link)
    await _play_subscriptions(recorder)


async def _play_subscriptions(recorder: _Recorder) -> None:
    new = {
        "target": "https://hooks.example.com/stagedoor",
        "eventTypes": ["stagedoor.import_task.completed"],
        "description": "The catalogue",
    }
    wanted: Any = {"data": {"type": "subscriptions", "attributes": new}}
    id_ = await recorder.add("createSubscriptions", "POST", "/subscriptions", wanted)
    at = f"/subscriptions/{id_}"
    off = {"type": "subscriptions", "id": id_, "attributes": {"eventTypes": []}}
    await recorder.add("changeSubscriptions", "PATCH", at, {"data": off})
    await recorder.add("getSubscriptions", "GET", at)
    await recorder.add("listSubscriptions", "GET", "/subscriptions")
    rotation = {"data": {"type": "secrets", "attributes": {"overlapSeconds": 3600}}}
    await recorder.add("createSubscriptionsSecrets", "POST", f"{at}/secrets", rotation)
    sent = await recorder.act("pingSubscriptions", f"{at}/pings")
    filtered = f"{at}/deliveries?filter[state]=pending"
    await recorder.add("listSubscriptionsDeliveries", "GET", filtered)
    await recorder.add("getDeliveries", "GET", f"/deliveries/{sent}")
    await recorder.act("replayDeliveries", f"/deliveries/{sent}/replays")


def _track(id_: str | None = None) -> dict[str, Any]:
    data = {"type": "tracks", "attributes": {"title": "Blue in Green", "isrc": "USSM15900113"}}
    return {"data": data | ({"id": id_} if id_ else {})}


@dataclass
class _Recorder:
    """Asks, and keeps what was said, with ids and moments that are the same each time."""

    client: Client
    recorded: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    async def act(self, id_: str, path: str) -> str:
        """As ``add``, of an action, which takes no document."""
        return self._keep(id_, None, await self.client.request("POST", path))

    async def add(self, id_: str, method: str, path: str, document: Any = None) -> str:
        """The id of the resource that was answered, if it is one."""
        return self._keep(id_, document, await self._ask(id_, method, path, document))

    def _keep(self, id_: str, document: Any, answer: Answer) -> str:
        assert answer.status in {200, 201}, (id_, answer.body)
        exchange = {"request": document, "status": answer.status, "response": answer.document}
        text = msgspec.json.encode(exchange).decode()
        text = _MOMENT.sub("2026-01-02T03:04:05.678901Z", _UUID.sub(self._stable, text))
        text = _WHSEC.sub(f"whsec_{'Ab3+' * 10}xyz=", text)
        text = _SECRET.sub(f"expires=1767323645&signature={'Ab3_' * 10}xyz", text)
        self.recorded[id_] = msgspec.json.decode(text)
        data = answer.document.get("data")
        return str(data["id"]) if isinstance(data, dict) else ""

    async def _ask(self, id_: str, method: str, path: str, document: Any) -> Answer:
        if document is None:
            return await self.client.get(path)
        type_ = ATOMIC_TYPE if id_ == "runOperations" else MEDIA_TYPE
        body = msgspec.json.encode(document)
        return await self.client.request(method, path, body, Accept=type_, Content_Type=type_)

    def _stable(self, match: re.Match[str]) -> str:
        number = len(self.ids) + 1
        return self.ids.setdefault(match[0], f"019b7a00-0000-7000-8000-{number:012}")


async def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/stagedoor.db"
        await asyncio.to_thread(migrate, url)
        async with open_core(url) as core:
            recorded = await record(core)
    for id_, exchange in recorded.items():
        encoded = msgspec.json.format(msgspec.json.encode(exchange), indent=2)
        await asyncio.to_thread(Path(EXAMPLES / f"{id_}.json").write_bytes, encoded + b"\n")


if __name__ == "__main__":
    asyncio.run(_main())

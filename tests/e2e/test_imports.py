"""Masters that are Atmos go from a URL to a record, through every real part."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support import replies
from tests.support.media import eac3, mp4
from tests.support.origin import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.stack import Client, Stack

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ATMOS_SAMPLES = (
    "dolby_adm_sample_0.wav",
    "androidx_sample_eac3joc.mp4",
    "androidx_sample_ac4_level4.mp4",
)


def masters(folder: Path) -> dict[str, bytes]:
    """One small valid master of each kind."""
    made = {"mp4": mp4.plain(mp4.Track(frames=eac3.joc_frames(40), config=mp4.dec3()))}
    made["ec3"] = b"".join(eac3.joc_frames(40))
    for form in ("RIFF", "RF64", "BW64"):
        write_master(folder / form, Spec(form=form, seconds=0.5))
        made[form] = (folder / form).read_bytes()
    return made


@pytest.mark.parametrize("kind", ["RIFF", "RF64", "BW64", "mp4", "ec3"])
async def test_a_master_becomes_a_record(
    kind: str, stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    body, isrc = masters(tmp_path)[kind], new_isrc()
    url = stack.origin.serve(f"/{kind}", replies.file(body))
    task = await client.finish(url, isrc, declaredMd5=hashlib.md5(body).hexdigest())
    seen = task["attributes"]
    assert (seen["status"], seen["validationErrors"]) == ("completed", None)
    assert (seen["byteSize"], seen["actualMd5"]) == (len(body), hashlib.md5(body).hexdigest())
    status, record = await client.call("GET", f"/atmos-import-tasks/{task['id']}/record")
    assert status == 200
    assert record["data"]["attributes"]["isrc"] == isrc
    assert record["data"]["attributes"]["md5"] == seen["actualMd5"]
    assert record["data"]["type"] == "records"


async def test_a_task_goes_through_every_status_and_shows_its_progress(
    stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    write_master(tmp_path / "m.wav", Spec(seconds=6))
    body, gate = (tmp_path / "m.wav").read_bytes(), Gate()
    reply = replies.file(body, gate=gate, gate_at=len(body) // 2)
    task_id = await client.start(stack.origin.serve("/progress.wav", reply), new_isrc())
    seen: list[int] = []
    halfway = False
    async for task in client.states(task_id):
        if not seen or seen[-1] != task.state:
            seen.append(task.state)
        if task.progress.stage == "download" and 0 < task.progress.done_bytes < len(body):
            halfway = True
            assert task.progress.total_bytes == len(body)
            gate.open()
    assert halfway
    assert seen == sorted(seen)
    assert {ImportTask.STATE_DOWNLOADING, ImportTask.STATE_VALIDATING} <= set(seen)
    assert seen[-1] == ImportTask.STATE_COMPLETED


async def test_changing_the_url_fetches_again_and_the_new_record_replaces_the_old(
    stack: Stack, client: Client, new_isrc: Callable[[], str], tmp_path: Path
) -> None:
    made = masters(tmp_path)
    first = await client.finish(stack.origin.serve("/v1", replies.file(made["RIFF"])), new_isrc())
    new_url = stack.origin.serve("/v2", replies.file(made["mp4"]))
    change = {
        "data": {"type": "atmos-import-tasks", "id": first["id"], "attributes": {"url": new_url}}
    }
    status, changed = await client.call("PATCH", f"/atmos-import-tasks/{first['id']}", change)
    assert status == 200
    assert changed["data"]["meta"]["generation"] == 2
    await client.until(first["id"])
    _, task = await client.call("GET", f"/atmos-import-tasks/{first['id']}")
    assert task["data"]["attributes"]["status"] == "completed"
    assert task["data"]["attributes"]["byteSize"] == len(made["mp4"])
    _, records = await client.call(
        "GET", f"/records?filter[isrc]={first['attributes']['secondaryIsrc']}"
    )
    assert [r["attributes"]["byteSize"] for r in records["data"]] == [len(made["mp4"])]


async def test_deleting_stops_a_running_download(
    stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    gate = Gate()
    reply = replies.file(bytes(1 << 20), gate=gate, gate_at=1 << 19)
    task_id = await client.start(stack.origin.serve("/endless", reply), new_isrc())
    await gate.reached()
    status, _ = await client.call("DELETE", f"/atmos-import-tasks/{task_id}")
    assert status == 204
    status, _ = await client.call("GET", f"/atmos-import-tasks/{task_id}")
    assert status == 404
    gate.open()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real files are beside a developer's checkout")
@pytest.mark.parametrize("name", ATMOS_SAMPLES)
async def test_real_atmos_files_are_accepted(
    name: str, stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    body = (SAMPLES / name).read_bytes()
    task = await client.finish(stack.origin.serve(f"/{name}", replies.file(body)), new_isrc())
    assert task["attributes"]["status"] == "completed", task["attributes"]["validationErrors"]
    status, record = await client.call("GET", f"/atmos-import-tasks/{task['id']}/record")
    assert status == 200
    assert record["data"]["attributes"]["byteSize"] == len(body)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real files are beside a developer's checkout")
async def test_a_real_file_without_atmos_is_refused_and_told_so(
    stack: Stack, client: Client, new_isrc: Callable[[], str]
) -> None:
    body = (SAMPLES / "androidx_sample_eac3.mp4").read_bytes()
    task = await client.finish(stack.origin.serve("/plain.mp4", replies.file(body)), new_isrc())
    assert task["attributes"]["status"] == "validation_failed"
    assert [e["code"] for e in task["attributes"]["validationErrors"]] == ["no_atmos"]
    assert "Atmos" in task["attributes"]["validationErrors"][0]["detail"]

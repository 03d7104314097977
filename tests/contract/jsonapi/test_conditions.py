"""Entity tags and idempotency keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.api.domain.lifecycle import Stage
from services.api.domain.principal import SCOPES
from services.api.domain.runs import Refused, error
from services.api.http.jsonapi.cursors import PROFILE
from services.api.http.openapi.parameters import KEY
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.jsonapi import Answer

TASKS = "/atmos-import-tasks"
PROFILED = f'{MEDIA_TYPE};profile="{PROFILE}"'
HUGE = f'"{"9" * 5000}.ab"'
STALE = '"99.0123456789abcdef01234567"'


async def _send(client: Client, method: str, path: str, document: object, **headers: str) -> Answer:
    body = msgspec.json.encode(document)
    return await client.request(method, path, body, Content_Type=MEDIA_TYPE, **headers)


def _change(task: Task, **attributes: object) -> dict[str, Any]:
    data = {"type": "atmos-import-tasks", "id": str(task.id), "attributes": attributes}
    return {"data": data}


# If-None-Match


async def test_what_has_not_changed_is_not_sent_again(client: Client, core: Core) -> None:
    task = await core.complete(await core.task())
    assert task.target is not None
    tags = {}
    for path in (
        f"{TASKS}/{task.id}",
        f"/tracks/{task.target.id}",
        f"/records/{task.record_id}",
        f"{TASKS}/{task.id}/track",
        f"{TASKS}/{task.id}/relationships/track",
        f"{TASKS}?include=track",
    ):
        tag = (await client.get(path)).headers["ETag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.request("GET", path, If_None_Match=known)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
            assert again.headers["Vary"] == "Accept"
            assert "Content-Type" not in again.headers
        head = await client.request("HEAD", path, If_None_Match=tag)
        assert (head.status, head.headers["ETag"]) == (304, tag)
        for unknown in ('"other"', 'W/"*"', "nonsense"):
            assert (await client.request("GET", path, If_None_Match=unknown)).status == 200
        tags[path] = tag.strip('"')
    assert tags[f"{TASKS}/{task.id}"].startswith(f"{task.version}.")
    assert tags[f"{TASKS}/{task.id}/relationships/track"].startswith(f"{task.version}.")
    assert "." not in tags[f"/records/{task.record_id}"]
    assert "." not in tags[f"{TASKS}?include=track"]


async def test_a_list_is_sent_again_when_anything_in_it_changes(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}?include=track"
    tag = (await client.get(path)).headers["ETag"]
    assert task.target is not None
    track = {"type": "tracks", "id": str(task.target.id), "attributes": {"title": "Other"}}
    await client.send("PATCH", f"/tracks/{task.target.id}", {"data": track})
    changed = await client.request("GET", path, If_None_Match=tag)
    assert (changed.status, changed.document["included"][0]["attributes"]["title"]) == (
        200,
        "Other",
    )
    assert changed.headers["ETag"] != tag


async def test_the_same_bytes_of_another_media_type_have_another_tag(client: Client) -> None:
    plain, profiled = [
        await client.request("GET", "/tracks?page[after]=", Accept=accept)
        for accept in (MEDIA_TYPE, PROFILED)
    ]
    assert (plain.body, profiled.headers["Content-Type"]) == (profiled.body, PROFILED)
    assert plain.headers["ETag"] != profiled.headers["ETag"]


async def test_each_representation_has_a_tag_of_its_own(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}"
    whole, part = await client.get(path), await client.get(f"{path}?include=track")
    assert whole.headers["ETag"] != part.headers["ETag"]
    run = await core.claim(task.id, Stage.DOWNLOAD)
    claimed = (await client.get(path)).headers["ETag"]
    await core.use_cases.runs.progress(task.id, run, 5, 10)
    progressed = (await client.get(path)).headers["ETag"]
    assert claimed != progressed
    assert claimed.split(".")[0] == progressed.split(".")[0]


async def test_what_was_written_has_the_tag_that_is_read(client: Client) -> None:
    created = await client.create_task(await client.create_track())
    path = f"{TASKS}/{created.document['data']['id']}"
    assert (await client.get(path)).headers["ETag"] == created.headers["ETag"]


# If-Match


async def test_changing_what_was_read(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}"
    tag = (await client.get(path)).headers["ETag"]
    run = await core.claim(task.id, Stage.DOWNLOAD)
    tag = (await client.get(path)).headers["ETag"]
    await core.use_cases.runs.progress(task.id, run, 5, 10)
    mine, theirs = [_change(task, secondaryIsrc=f"USRC1234567{n}") for n in (0, 1)]
    first = await _send(client, "PATCH", path, mine, If_Match=tag)
    assert first.status == 200, "progress is no change"
    lost = await _send(client, "PATCH", path, theirs, If_Match=tag)
    assert lost.status == 412
    assert lost.refusals == [("", "The resource has changed since it was read. Read it again.")]
    shown = (await client.get(path)).document["data"]["attributes"]
    assert shown["secondaryIsrc"] == "USRC12345670"
    for several in (f"{STALE}, {first.headers['ETag']}", "*"):
        again = await _send(client, "PATCH", path, _change(task), If_Match=several)
        assert again.status == 200


@pytest.mark.parametrize(
    "tag",
    [STALE, '"1"', f'"other", {STALE}', "nonsense", "W/*", 'W/"*"', HUGE],
    ids=["stale", "foreign", "several", "none", "weak star", "weak quoted star", "huge"],
)
async def test_tags_that_do_not_match(client: Client, core: Core, tag: str) -> None:
    task, track = await core.task(), await core.track()
    linkage = {"data": {"type": "tracks", "id": str(track.id)}}
    path = f"{TASKS}/{task.id}"
    for method, where, document in (
        ("PATCH", path, _change(task)),
        ("PATCH", f"{path}/relationships/track", linkage),
        ("POST", f"{path}/retry", None),
        ("DELETE", path, None),
        ("DELETE", f"/tracks/{track.id}", None),
    ):
        answer = await _send(client, method, where, document, If_Match=tag)
        assert answer.status == 412, where
    assert (await client.get(path)).headers["ETag"].startswith(f'"{task.version}.')


async def test_a_relationship_is_changed_by_the_tag_that_it_was_read_with(
    client: Client, core: Core
) -> None:
    task, track = await core.task(), await core.track()
    path = f"{TASKS}/{task.id}/relationships/track"
    tag = (await client.get(path)).headers["ETag"]
    linkage = {"data": {"type": "tracks", "id": str(track.id)}}
    changed = await _send(client, "PATCH", path, linkage, If_Match=tag)
    assert (changed.status, changed.headers["ETag"] == tag) == (200, False)
    assert (await client.get(path)).headers["ETag"] == changed.headers["ETag"]
    assert (await _send(client, "PATCH", path, linkage, If_Match=tag)).status == 412


async def test_reading_on_condition(client: Client, core: Core) -> None:
    task = await core.task()
    for path in (f"{TASKS}/{task.id}", TASKS):
        tag = (await client.get(path)).headers["ETag"]
        for wanted, status in ((tag, 200), (f'"x", {tag}', 200), ("*", 200), (f"W/{tag}", 412)):
            assert (await client.request("GET", path, If_Match=wanted)).status == status, wanted
        both = await client.request("GET", path, If_Match=STALE, If_None_Match=tag)
        assert both.status == 412, "If-Match comes first"
        assert both.headers["Content-Type"] == MEDIA_TYPE


async def test_a_weak_tag_never_matches(client: Client, core: Core) -> None:
    task = await core.task()
    tag = (await client.get(f"{TASKS}/{task.id}")).headers["ETag"]
    assert (await client.request("DELETE", f"{TASKS}/{task.id}", If_Match=f"W/{tag}")).status == 412
    assert (await client.request("DELETE", f"{TASKS}/{task.id}", If_Match=tag)).status == 204


# If-None-Match on what changes


async def test_what_is_not_to_be_changed(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}"
    tag = (await client.get(path)).headers["ETag"]
    for unwanted in ("*", tag, f"W/{tag}", f'"other", {tag}'):
        for method, where in (("PATCH", path), ("DELETE", path), ("POST", f"{path}/retry")):
            answer = await _send(client, method, where, _change(task), If_None_Match=unwanted)
            detail = "The resource is one that If-None-Match excludes."
            assert (answer.status, answer.refusals) == (412, [("If-None-Match", detail)])
    both = await _send(client, "DELETE", path, None, If_Match=tag, If_None_Match="*")
    assert both.status == 412
    assert (await client.get(path)).headers["ETag"] == tag
    other = await _send(client, "PATCH", path, _change(task), If_None_Match=STALE)
    assert other.status == 200
    assert (await client.request("DELETE", path, If_None_Match='"other"')).status == 204


async def test_who_may_only_write_needs_no_more_for_one_version(client: Client, core: Core) -> None:
    token = await core.use_cases.tokens.issue("default", "writer", ["tasks:write"])
    writer = Client(client.session, token)
    for name, tag in (("If_Match", "*"), ("If_Match", '"1.ab"'), ("If_None_Match", '"other"')):
        task = await core.task()
        path = f"{TASKS}/{task.id}"
        answer = await writer.request("DELETE", path, None, **{name: tag})
        assert answer.status == 204, (name, tag)


async def test_what_does_not_exist_yet_is_on_no_condition(client: Client) -> None:
    document = {"data": {"type": "tracks", "attributes": {"title": "x"}}}
    created = await _send(client, "POST", "/tracks", document, If_None_Match="*", If_Match=STALE)
    assert created.status == 201


# Idempotency-Key


async def test_the_same_request_gets_the_first_answer(client: Client) -> None:
    document = new_task(await client.create_track())
    first, again = [
        await _send(client, "POST", TASKS, document, Idempotency_Key="k1") for _ in range(2)
    ]
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert (await client.get(TASKS)).document["meta"]["page"]["total"] == 1
    other = await _send(client, "POST", TASKS, document, Idempotency_Key="k2")
    assert other.document["data"]["id"] != first.document["data"]["id"]


async def test_a_key_stands_for_one_request(client: Client, core: Core) -> None:
    track = await client.create_track()
    await _send(client, "POST", TASKS, new_task(track), Idempotency_Key="k")
    changed = new_task(track, secondaryIsrc="USRC12345670")
    refused = await _send(client, "POST", TASKS, changed, Idempotency_Key="k")
    assert refused.status == 422
    assert refused.document["errors"] == [
        {
            "detail": "The idempotency key was used for another request.",
            "source": {"header": "Idempotency-Key"},
            "status": "422",
            "title": "Unprocessable Entity",
        }
    ]
    other = Client(client.session, await core.use_cases.tokens.issue("other", "test", SCOPES))
    mine = {"data": {"type": "tracks", "attributes": {"title": "Mine"}}}
    assert (await _send(other, "POST", "/tracks", mine, Idempotency_Key="k")).status == 201


async def test_a_retry_happens_once(client: Client, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    refused = Refused(problems=(error("not_found", "The origin answered 404."),))
    assert await core.use_cases.runs.report(task.id, run, refused)
    path = f"{TASKS}/{task.id}/retry"
    answers = [await client.request("POST", path, Idempotency_Key="again") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert (await client.request("POST", path)).status == 409


@pytest.mark.parametrize("key", ["x", "x" * 255, "two words"], ids=["short", "long", "words"])
async def test_keys_that_are_kept(client: Client, key: str) -> None:
    document = {"data": {"type": "tracks", "attributes": {"title": "x"}}}
    answer = await _send(client, "POST", "/tracks", document, Idempotency_Key=key)
    assert answer.status == 201
    assert re.fullmatch(KEY["schema"]["pattern"], key)


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "\u00e4", "a\tb"], ids=["empty", "long", "not ASCII", "a tab"]
)
async def test_keys_that_cannot_be_kept(client: Client, key: str) -> None:
    document = {"data": {"type": "tracks", "attributes": {"title": "x"}}}
    answer = await _send(client, "POST", "/tracks", document, Idempotency_Key=key)
    detail = "The idempotency key must have 1 to 255 printable ASCII characters."
    assert (answer.status, answer.refusals) == (400, [("Idempotency-Key", detail)])

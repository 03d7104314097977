"""The document's calls, one after the other, with the members that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from services.api.domain.principal import SCOPES
from services.api.use_cases.upload_tracks import WRITE
from tests.support.datocms import LIMIT, URL, track_document

if TYPE_CHECKING:
    from tests.support.datocms import Site
    from tests.support.jsonapi import Answer

PROBLEM = {"code": "subtitles_empty", "severity": "error", "detail": "There is no cue."}
CACHE = "max-age=0, private, must-revalidate"


def codes(answer: Answer) -> list[tuple[str, Any]]:
    """The code and the field of each error."""
    errors = answer.document["data"]
    assert answer.headers["Content-Type"].startswith("application/json")
    assert all(each.keys() == {"id", "type", "attributes"} for each in errors)
    assert {each["type"] for each in errors} == {"api_error"}
    told = [each["attributes"] for each in errors]
    assert all(each.keys() >= {"code", "doc_url", "details"} for each in told)
    return [(each["code"], each["details"].get("field")) for each in told]


async def test_the_document_s_own_call(site: Site) -> None:
    """What the published page shows, member by member."""
    upload = await site.upload()
    path = await site.upload_request(b"1\n", filename="it.srt")
    created = await site.create_track(upload, url_or_upload_request_id=path)
    assert created.status == 202
    assert created.headers["Content-Type"].startswith("application/json")
    assert created.headers["Cache-Control"] == CACHE
    assert created.headers["X-RateLimit-Limit"] == "30"
    assert int(created.headers["X-RateLimit-Remaining"]) < 30
    job = created.document["data"]
    assert created.document == {"data": {"type": "job", "id": job["id"]}}
    assert job["id"].isdigit()

    pending = await site.call("GET", f"/job-results/{job['id']}")
    assert (pending.status, codes(pending)) == (404, [("NOT_FOUND", None)])
    await site.end()
    done = await site.call("GET", f"/job-results/{job['id']}")
    assert done.status == 200
    payload = done.document["data"]["attributes"]["payload"]
    track = payload["data"]["id"]
    assert done.document == {
        "data": {
            "type": "job_result",
            "id": job["id"],
            "attributes": {
                "status": 200,
                "payload": {
                    "data": {
                        "type": "upload_track",
                        "id": track,
                        "attributes": {
                            "type": "subtitles",
                            "name": "Italiano",
                            "language_code": "it-IT",
                            "closed_captions": False,
                            "status": "ready",
                            "error": None,
                        },
                        "relationships": {"upload": {"data": {"type": "upload", "id": upload}}},
                    }
                },
            },
        }
    }
    got = await site.call("GET", f"/uploads/{upload}/tracks/{track}")
    assert (got.status, got.document) == (200, payload)
    listed = await site.call("GET", f"/uploads/{upload}/tracks")
    assert listed.document == {"data": [payload["data"]], "meta": {"total_count": 1}}


async def test_a_track_by_url_is_prepared_first(site: Site) -> None:
    upload = await site.upload()
    created = await site.create_track(upload, closed_captions=True, name="Italian")
    listed = await site.call("GET", f"/uploads/{upload}/tracks")
    (track,) = listed.document["data"]
    assert track["attributes"] == {
        "type": "subtitles",
        "name": "Italian",
        "language_code": "it-IT",
        "closed_captions": True,
        "status": "preparing",
        "error": None,
    }
    task = await site.task()
    assert (task.source_uri, task.master_type) == (URL, "subtitles")
    await site.end()
    assert (await site.result(created))["status"] == 200


async def test_a_refused_file_fails_the_job_and_is_told_on_the_track(site: Site) -> None:
    upload = await site.upload()
    created = await site.create_track(upload)
    await site.end(PROBLEM)
    result = await site.result(created)
    (error,) = result["payload"]["data"]
    assert (result["status"], error["type"]) == (422, "api_error")
    assert error["attributes"]["code"] == "INVALID_FIELD"
    assert error["attributes"]["details"] == {
        "field": "url_or_upload_request_id",
        "code": PROBLEM["code"],
        "message": PROBLEM["detail"],
    }
    (track,) = (await site.call("GET", f"/uploads/{upload}/tracks")).document["data"]
    assert track["attributes"]["status"] == "errored"
    assert track["attributes"]["error"] == PROBLEM["detail"]


async def test_an_update_changes_what_it_says_and_imports_a_new_source(site: Site) -> None:
    upload = await site.upload()
    first = await site.create_track(upload, name="Italian")
    (track,) = (await site.call("GET", f"/uploads/{upload}/tracks")).document["data"]
    one = f"/uploads/{upload}/tracks/{track['id']}"
    wanted = {"data": {"type": "upload_track", "id": track["id"], "attributes": {"name": None}}}
    renamed = await site.result(await site.call("PUT", one, wanted))
    assert renamed["payload"]["data"]["attributes"]["name"] == "Italiano"
    assert renamed["payload"]["data"]["attributes"]["status"] == "preparing"

    before = await site.task()
    attributes = {"url_or_upload_request_id": f"{URL}?2", "type": "audio", "language_code": "de"}
    moved = await site.call("PUT", one, track_document(attributes))
    gone = await site.result(first)
    assert (gone["status"], gone["payload"]["data"][0]["attributes"]["details"]["code"]) == (
        422,
        "import_task_deleted",
    )
    after = await site.task()
    assert (after.master_type, after.id == before.id) == ("audio_track", False)
    await site.end()
    told = (await site.result(moved))["payload"]["data"]
    assert (told["id"], told["attributes"]["type"]) == (track["id"], "audio")
    assert (told["attributes"]["name"], told["attributes"]["status"]) == ("Italiano", "ready")

    wanted = {"data": {"type": "upload_track", "attributes": {"type": "subtitles"}}}
    alone = await site.call("PUT", one, wanted)
    assert (alone.status, codes(alone)) == (422, [("INVALID_FIELD", "url_or_upload_request_id")])


async def test_what_is_deleted_is_told_once_more(site: Site) -> None:
    upload = await site.upload()
    await site.create_track(upload)
    await site.end()
    (track,) = (await site.call("GET", f"/uploads/{upload}/tracks")).document["data"]
    one = f"/uploads/{upload}/tracks/{track['id']}"
    result = await site.result(await site.call("DELETE", one))
    assert result == {"status": 200, "payload": {"data": track}}
    assert (await site.call("GET", one)).status == 404
    assert (await site.call("DELETE", one)).status == 404


async def test_an_upload_is_kept_listed_and_deleted_with_its_tracks(site: Site) -> None:
    assert (await site.call("GET", "/uploads")).document == {"data": [], "meta": {"total_count": 0}}
    upload = await site.upload()
    await site.upload_request(filename="other.mp4")  # is no upload
    shown = await site.call("GET", f"/uploads/{upload}")
    attributes = shown.document["data"]["attributes"]
    assert attributes["filename"] == "clip.mp4"
    assert (attributes["basename"], attributes["format"], attributes["size"]) == ("clip", "mp4", 15)
    listed = await site.call("GET", "/uploads?page[limit]=1&page[offset]=0")
    assert listed.document == {"data": [shown.document["data"]], "meta": {"total_count": 1}}

    created = await site.create_track(upload)
    result = await site.result(await site.call("DELETE", f"/uploads/{upload}"))
    assert result == {"status": 200, "payload": shown.document}
    assert (await site.call("GET", f"/uploads/{upload}")).status == 404
    assert (await site.result(created))["status"] == 422


async def test_a_path_without_a_file_is_no_upload(site: Site) -> None:
    document = {"data": {"type": "upload_request", "attributes": {"filename": "a.mp4"}}}
    waiting = (await site.call("POST", "/upload-requests", document)).document["data"]["id"]
    kept = {"data": {"type": "upload", "attributes": {"path": waiting}}}
    for path in (waiting, "/7/1455102967-image.png", None, 7):
        kept["data"]["attributes"] = {"path": path}
        answer = await site.call("POST", "/uploads", kept)
        assert (answer.status, codes(answer)) == (422, [("INVALID_FIELD", "path")]), path


@pytest.mark.parametrize(
    ("attributes", "fields"),
    [
        ({"language_code": "xx-nowhere-at-all"}, ["language_code"]),
        ({"language_code": None, "type": "video"}, ["type", "language_code"]),
        ({"closed_captions": "yes", "name": "x" * 256}, ["name", "closed_captions"]),
        ({"url_or_upload_request_id": "http://cdn.example.com/x"}, ["url_or_upload_request_id"]),
        ({"url_or_upload_request_id": None}, ["url_or_upload_request_id"]),
        ({"url_or_upload_request_id": "/7/1455102967-image.png"}, ["url_or_upload_request_id"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_what_is_wrong_with_a_track_is_said(
    site: Site, attributes: dict[str, object], fields: list[str]
) -> None:
    answer = await site.create_track(await site.upload(), **attributes)
    assert answer.status == 422
    assert codes(answer) == [("INVALID_FIELD", field) for field in fields]


async def test_requests_that_are_none(site: Site) -> None:
    good = {"data": {"type": "upload_request", "attributes": {}}}
    path = "/upload-requests"
    for status, code, headers, body in (
        (400, "INVALID_API_VERSION", {"X_Api_Version": "2"}, good),
        (406, "INVALID_ACCEPT_HEADER", {"Accept": "text/html"}, good),
        (415, "INVALID_CONTENT_TYPE_HEADER", {"Content_Type": "text/plain"}, good),
        (400, "INVALID_IDEMPOTENCY_KEY_HEADER", {"Idempotency_Key": ""}, good),
        (422, "INVALID_FORMAT", {}, []),
        (422, "INVALID_TYPE", {}, {"data": {"type": "upload"}}),
        (401, "INVALID_AUTHORIZATION_HEADER", {"Authorization": "Bearer nonsense"}, good),
    ):
        answer = await site.call("POST", path, body, **headers)
        assert (answer.status, codes(answer)) == (status, [(code, None)])
        assert answer.headers["X-RateLimit-Limit"] == str(LIMIT)
        assert answer.headers["Cache-Control"] == CACHE
    answer = await site.call("POST", path, good, Content_Type="application/vnd.api+json")
    assert answer.status == 200
    async with site.session.post(
        f"/datocms{path}",
        data=b"{",
        headers={
            "Authorization": f"Bearer {site.token}",
            "X-Api-Version": "3",
            "Content-Type": "application/json",
        },
    ) as response:
        told = (await response.json())["data"][0]["attributes"]["code"]
        assert (response.status, told) == (400, "INVALID_JSON_BODY")


async def test_paths_and_methods_that_are_none(site: Site) -> None:
    unknown = "/uploads/AAAAAAAAAAAAAAAAAAAAAA"
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PATCH", "/uploads", 405),
        ("GET", unknown, 404),
        ("GET", "/uploads/7", 404),
        ("GET", f"{unknown}/tracks", 404),
        ("GET", "/job-results/7", 404),
        ("GET", "/job-results/x", 404),
    ):
        answer = await site.call(method, path)
        code = "NOT_FOUND" if status == 404 else "METHOD_NOT_ALLOWED"
        assert (answer.status, codes(answer)) == (status, [(code, None)]), path
        assert answer.headers["Cache-Control"] == CACHE
    filtered = await site.call("GET", "/uploads?filter[fields][md5][eq]=0")
    assert (filtered.status, codes(filtered)[0][0]) == (422, "INVALID_FIELD")
    lost = await site.call("POST", f"{unknown}/tracks", track_document({}))
    assert (lost.status, codes(lost)) == (404, [("NOT_FOUND", None)])


async def test_the_limit_is_told_and_kept(site: Site) -> None:
    site.now[0] += 60
    left = [await site.call_at_once("GET", "/uploads") for _ in range(LIMIT)]
    assert [int(each.headers["X-RateLimit-Remaining"]) for each in left] == [*range(LIMIT)][::-1]
    assert all("X-RateLimit-Reset" not in each.headers for each in left)
    assert all("RateLimit" not in each.headers for each in left)
    refused = await site.call_at_once("GET", "/uploads")
    assert (refused.status, codes(refused)) == (429, [("RATE_LIMIT_EXCEEDED", None)])
    assert refused.headers["X-RateLimit-Reset"] == "1"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    site.now[0] += 1
    assert (await site.call_at_once("GET", "/uploads")).status == 200


async def test_the_same_request_with_the_same_key_makes_one_track(site: Site) -> None:
    upload = await site.upload()
    path = f"/uploads/{upload}/tracks"
    first, again = [
        await site.call("POST", path, track_document({}), Idempotency_Key="k") for _ in range(2)
    ]
    assert first.document == again.document
    assert (await site.call("GET", path)).document["meta"]["total_count"] == 1
    other = await site.call("POST", path, track_document({"name": "x"}), Idempotency_Key="k")
    assert (other.status, codes(other)) == (422, [("REQUEST_ID_REUSED", None)])


async def test_what_is_another_tenant_s_does_not_exist(site: Site, stranger: Site) -> None:
    upload = await site.upload()
    path = await site.upload_request(filename="it.srt")
    created = await site.create_track(upload, url_or_upload_request_id=path)
    await site.end()
    (track,) = (await site.call("GET", f"/uploads/{upload}/tracks")).document["data"]
    one = f"/uploads/{upload}/tracks/{track['id']}"
    job = created.document["data"]["id"]
    assert (await stranger.call("GET", "/uploads")).document["data"] == []
    for method, where, body in (
        ("GET", f"/uploads/{upload}", None),
        ("DELETE", f"/uploads/{upload}", None),
        ("GET", f"/uploads/{upload}/tracks", None),
        ("POST", f"/uploads/{upload}/tracks", track_document({})),
        ("GET", one, None),
        ("PUT", one, track_document({})),
        ("DELETE", one, None),
        ("GET", f"/job-results/{job}", None),
    ):
        answer = await stranger.call(method, where, body)
        assert answer.status == 404, where
        assert codes(answer) == [("NOT_FOUND", None)], where
    theirs = await stranger.upload()
    for where, given in (
        (f"/uploads/{theirs}/tracks/{track['id']}", None),
        (f"/uploads/{theirs}/tracks", track_document({"url_or_upload_request_id": path})),
    ):
        answer = await stranger.call("POST" if given else "GET", where, given)
        assert answer.status in {404, 422}, where
    assert (await site.call("GET", one)).document == {"data": track}


async def test_a_track_is_found_below_its_own_upload_only(site: Site) -> None:
    upload, another = await site.upload(), await site.upload()
    await site.create_track(upload)
    (track,) = (await site.call("GET", f"/uploads/{upload}/tracks")).document["data"]
    for method, body in (("GET", None), ("PUT", track_document({})), ("DELETE", None)):
        answer = await site.call(method, f"/uploads/{another}/tracks/{track['id']}", body)
        assert (answer.status, codes(answer)) == (404, [("NOT_FOUND", None)]), method


async def test_who_may_not_write_is_refused(site: Site) -> None:
    upload = await site.upload()
    token = await site.core.use_cases.tokens.issue("default", "some", SCOPES - {WRITE, "admin"})
    for method, path, body in (
        ("POST", f"/uploads/{upload}/tracks", track_document({})),
        ("DELETE", f"/uploads/{upload}", None),
    ):
        answer = await site.call(method, path, body, token=token)
        assert (answer.status, codes(answer)) == (403, [("INSUFFICIENT_PERMISSIONS", None)])


async def test_the_description_is_one(site: Site) -> None:
    async with site.session.get("/datocms/openapi.json") as response:
        document = await response.json()
    validate(document)
    async with site.session.get("/datocms/docs") as response:
        assert (response.status, response.content_type) == (200, "text/html")

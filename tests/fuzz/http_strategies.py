"""HTTP requests: valid ones, and what can go wrong in their documents, targets, headers, bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from hypothesis import strategies as st

from tests.fuzz.http_calls import DOCUMENT, MEDIA_TYPE, exchange, request
from tests.fuzz.strategies import JSON_VALUES, TEXTS, altered, damaged
from tests.support import idol

if TYPE_CHECKING:
    from tests.fuzz.http_calls import Headers
    from tests.fuzz.server import Server

PREFIX = "/api/v1"
SESSIONS = "/v1"
SHOWN_BYTES = 2000
ATOMIC = f'{MEDIA_TYPE};ext="https://jsonapi.org/ext/atomic"'
_IDOL = ("attachable", "relationships/attachable")
_NOBODY = "A" * 22
_DATOCMS = (
    *("upload-requests", "uploads", "job-results/1", f"uploads/{_NOBODY}", "docs"),
    *(f"uploads/{_NOBODY}/tracks", f"uploads/{_NOBODY}/tracks/{_NOBODY}"),
)
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "X")
PARAMETERS = (
    *("page[number]", "page[size]", "page[after]", "page[before]", "page[x]", "page", "sort"),
    *("include", "fields[tracks]", "fields[atmos-import-tasks]", "fields[x]", "fields", "x"),
    *("fields[subscriptions]", "fields[deliveries]", "filter[state]"),
    *("page[limit]", "page[offset]"),
    *("filter[product-id]", "filter[distributor-id]", "fields[import-tasks]"),
    *("job_id", "upload_id", "url", "formats", "meta", "meta[Title]", "oncomplete", "token"),
    *("filter[id]", "filter[status]", "filter[track-id]", "filter[isrc]", "filter[x]", "filter"),
)
HEADERS = (
    *("Accept", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"),
    *("Authorization", "Cookie", "Range", "Prefer", "Accept-Encoding", "Accept-Language"),
    *("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Origin", "Upgrade", "X-Request-Id"),
    *("Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Checksum", "Upload-Metadata"),
    *("Content-MD5", "Digest", "Expect", "Access-Control-Request-Method"),
    *("X-Api-Version", "X-Environment"),
    *("traceparent", "tracestate", "baggage", "If-Modified-Since", "X-HTTP-Method-Override"),
)
STARTS = (
    *("", "", "", "", "", "x", "*", "%", "http:", "https://a:99999", "http://[::1", "http://[::1]"),
    *("https://example.com", "http://user:pass@example.com:80", "ws://a", "http://é", "\x7f"),
    "http://xn--a",
)
"""What may stand before a path: nothing, or an absolute form (RFC 9112, 3.2.2), or rubbish."""
CONDITIONS = (
    *(("Idempotency-Key", key) for key in ("a", "b", "", "x" * 255, "x" * 256, "é", '"q"')),
    *(("If-Match", tag) for tag in ("*", '"1"', '"1.x"', 'W/"1"', "1", '"', '"1", "2"', "é")),
)
FRAMING = (
    ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "gzip, chunked"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "deflate"),
    ("Content-Length", "-1"),
    ("Content-Length", "1"),
    ("Expect", "100-continue"),
    ("Expect", "x"),
    ("Upgrade", "websocket"),
    ("Host", "a b"),
)
BODIES = (
    *(b"", b"null", b'"', b"{}", b"[]", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 60_000),
    *(b'{"a":' * 12_000, b'{"data":' + b"9" * 5000 + b"}", b'{"data":{},"data":{}}'),
    *(b'{"data":{"type":"tracks","attributes":{"title":"' + b"a" * 70_000 + b'"}}}', b"\x00" * 99),
)


class Raw(bytes):
    """A request of any size that a report shows the start of."""

    __slots__ = ()

    def __repr__(self) -> str:
        """As bytes, cut."""
        return f"{self[:SHOWN_BYTES]!s}… of {len(self)} bytes"


@dataclass(frozen=True, slots=True)
class World:
    """What is there to be asked for."""

    token: str
    track: str
    task: str
    subscription: str
    delivery: str
    upload: str
    incoming: str
    collection: str
    session: str

    def documents(self) -> list[tuple[str, str, Any]]:
        """Method, target and document of every valid request that has one."""
        track = {"type": "tracks", "attributes": {"title": "T", "isrc": "USRC12345678"}}
        task = _task(self.track)
        one = f"{PREFIX}/atmos-import-tasks/{self.task}"
        linkage = {"data": {"type": "tracks", "id": self.track}}
        added = {"op": "add", "data": track | {"lid": "a"}}
        operations = [added, {"op": "remove", "ref": {"type": "tracks", "id": self.track}}]
        return [
            ("POST", f"{PREFIX}/tracks", {"data": track}),
            ("PATCH", f"{PREFIX}/tracks/{self.track}", {"data": track | {"id": self.track}}),
            ("POST", f"{PREFIX}/atmos-import-tasks", {"data": task}),
            ("PATCH", one, {"data": task | {"id": self.task}}),
            ("PATCH", f"{one}/relationships/track", linkage),
            ("POST", f"{one}/retry", {}),
            ("POST", f"{PREFIX}/operations", {"atomic:operations": operations}),
            ("POST", idol.TASKS, idol.new_task("tracks", self.track, precision=16, md5="0" * 32)),
            *self._of_subscriptions(),
            *self._of_uploads(),
        ]

    def _of_subscriptions(self) -> list[tuple[str, str, Any]]:
        one = f"{PREFIX}/subscriptions/{self.subscription}"
        rotation = {"type": "secrets", "attributes": {"overlapSeconds": 60}}
        return [
            ("POST", f"{PREFIX}/subscriptions", {"data": _subscription()}),
            ("PATCH", one, {"data": _subscription() | {"id": self.subscription}}),
            ("POST", f"{one}/secrets", {"data": rotation}),
            ("POST", f"{one}/pings", {}),
            ("POST", f"{PREFIX}/deliveries/{self.delivery}/replays", {}),
        ]

    def _of_uploads(self) -> list[tuple[str, str, Any]]:
        metadata = {"title": "T", "isrc": "USRC12345678", "master_type": "hd"}
        more = {"organization_index": "1", "metadata": metadata}
        session = {"collection_id": self.collection, "expires_in": 60, **more}
        upload = {"fileName": "a.wav", "declaredMd5": "0" * 32, "ttlSeconds": 60}
        return [
            ("POST", f"{PREFIX}/uploads", {"data": {"type": "uploads", "attributes": upload}}),
            ("POST", f"{SESSIONS}/upload_session", session),
            ("POST", f"{SESSIONS}/upload/{self.session}/track", {"file_name": "a.wav", **more}),
            # Whatever is put there is a file.
            ("POST", self.incoming, {}),
        ]

    def targets(self) -> list[str]:
        """Every path that the server has, and some that it has not."""
        tasks, one = f"{PREFIX}/atmos-import-tasks", f"{PREFIX}/atmos-import-tasks/{self.task}"
        ours = [tasks, one, f"{one}/track", f"{one}/record", f"{one}/relationships/track"]
        tracks = [f"{PREFIX}/tracks", f"{PREFIX}/tracks/{self.track}", f"{PREFIX}/records"]
        others = [f"{one}/relationships/record", f"{one}/retry", f"{one}/events", "/healthz"]
        more = ["operations", "events", "openapi.json", "docs", f"records/{self.task}", ""]
        told, sent = f"subscriptions/{self.subscription}", f"deliveries/{self.delivery}"
        more += ["subscriptions", told, sent, *(f"{told}/{n}" for n in ("deliveries", "pings"))]
        more += [f"{told}/secrets", *(f"{sent}/{n}" for n in ("replays", "subscription"))]
        more.append(f"{sent}/relationships/subscription")
        numbered = f"{idol.TASKS}/1"
        ours += [idol.TASKS, numbered, *(f"{numbered}/{n}" for n in _IDOL), "/api/v2/tracks/1"]
        actions = ("createJob", "upload", "setFormats", "publish", "checkJob", "list", "download")
        plain = [f"/api/import/{each}" for each in (*actions, "openapi.json", "")]
        more += ["uploads", f"uploads/{self.upload}", "collections"]
        plain += [f"{SESSIONS}/{each}" for each in ("upload_session", "openapi.json", "")]
        plain += [f"{SESSIONS}/upload_session/{self.session}", f"{SESSIONS}/upload/x/track"]
        plain += ["/incoming", f"/incoming/{self.upload}", self.incoming]
        plain += [f"/datocms/{each}" for each in _DATOCMS]
        return [*ours, *tracks, *others, *(f"{PREFIX}/{each}" for each in more), *plain, "/"]


def make_world(server: Server) -> World:
    """A track, a task, a subscription and a delivery to try things on."""
    track = {"data": {"type": "tracks", "attributes": {"title": "A track"}}}
    track_id = _post(server, "tracks", track)
    task = {"data": _task(track_id)}
    task_id = _post(server, "atmos-import-tasks", task)
    subscription = _post(server, "subscriptions", {"data": _subscription()})
    delivery = _post(server, f"subscriptions/{subscription}/pings", {})
    collection = _post(server, "collections", _new("collections", title="A collection"))
    upload = _answer(server, f"{PREFIX}/uploads", _new("uploads"))["data"]
    link = urlsplit(upload["links"]["upload"])
    begun = _answer(server, f"{SESSIONS}/upload_session", {"collection_id": collection}, 200)
    return World(
        token=server.token,
        track=track_id,
        task=task_id,
        subscription=subscription,
        delivery=delivery,
        upload=upload["id"],
        incoming=f"{link.path}?{link.query}",
        collection=collection,
        session=begun["upload_session_id"],
    )


def _task(track: str) -> dict[str, Any]:
    return {
        "type": "atmos-import-tasks",
        "attributes": {"url": "https://cdn.example.com/m.mp4", "secondaryIsrc": "USRC12345678"},
        "relationships": {"track": {"data": {"type": "tracks", "id": track}}},
    }


def _subscription() -> dict[str, Any]:
    attributes = {
        "target": "https://hooks.example.com/in",
        "eventTypes": ["stagedoor.import_task.*"],
        "description": "Ours",
        "enabled": True,
    }
    return {"type": "subscriptions", "attributes": attributes}


def _new(type_: str, **attributes: str) -> dict[str, Any]:
    return {"data": {"type": type_, "attributes": attributes}}


def _post(server: Server, kind: str, document: object) -> str:
    created: str = _answer(server, f"{PREFIX}/{kind}", document)["data"]["id"]
    return created


def _answer(server: Server, target: str, document: object, status: int = 201) -> Any:
    body = json.dumps(document).encode()
    answer = exchange(server.http, request("POST", target, server.token, DOCUMENT, body))
    assert answer is not None
    assert answer.status == status, answer.body
    return json.loads(answer.body)


@st.composite
def bad_documents(draw: st.DrawFn, world: World) -> bytes:
    """A well-framed request with something wrong in its document, or with none at all."""
    method, target, document = draw(st.sampled_from(world.documents()))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        body = draw(st.sampled_from(BODIES))
    elif kind == 1:
        body = draw(JSON_VALUES.map(_encoded))
    elif kind == 2:
        body = draw(damaged(_encoded(document)))
    else:
        body = _encoded(draw(altered(document)))
    headers = [*_media(target), *draw(st.lists(st.sampled_from(CONDITIONS), max_size=1))]
    return Raw(request(method, target, world.token, headers, body))


@st.composite
def bad_targets(draw: st.DrawFn, world: World) -> bytes:
    """A well-framed request with something wrong in its method, path, parameters or headers."""
    target = draw(st.sampled_from(world.targets()))
    if draw(st.integers(0, 2)) == 0:
        parts = target.split("/")
        parts[draw(st.integers(1, len(parts) - 1))] = draw(_in_a_target())
        target = draw(st.sampled_from(STARTS)) + "/".join(parts)
    pairs = draw(st.lists(st.tuples(st.sampled_from(PARAMETERS), _in_a_target()), max_size=3))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    headers = draw(st.lists(st.tuples(st.sampled_from(HEADERS), _in_a_header()), max_size=3))
    token = draw(st.sampled_from([world.token] * 6 + [None, "x", world.token[:-1]]))
    method = draw(st.sampled_from(METHODS))
    return request(method, f"{target}?{query}" if query else target, token, headers)


@st.composite
def bad_bytes(draw: st.DrawFn, world: World) -> bytes:
    """A valid request whose bytes are damaged anywhere, framing included, or just bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200)) + b"\r\n\r\n"
    method, target, document = draw(st.sampled_from(world.documents()))
    framing = draw(st.lists(st.sampled_from(FRAMING), max_size=1))
    whole = request(method, target, world.token, [*_media(target), *framing], _encoded(document))
    return draw(damaged(whole))


def _media(target: str) -> Headers:
    if target.endswith("/operations"):
        return (("Accept", ATOMIC), ("Content-Type", ATOMIC))
    return DOCUMENT


def _encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def _in_a_target() -> st.SearchStrategy[str]:
    """Text as a client quotes it, or as it may not stand in a target but for a space."""
    raw = TEXTS.map(lambda text: "".join(text.split()))
    return TEXTS.map(quote) | TEXTS.map(lambda text: quote(text, safe=",[]%&=")) | raw


def _in_a_header() -> st.SearchStrategy[str]:
    """Text without an end of line, or values of the right kind."""
    likely = (MEDIA_TYPE, f"{MEDIA_TYPE};q=x", f'{MEDIA_TYPE};ext="a b"', "*/*;q=0", '"1.x"', "*")
    texts = TEXTS.map(lambda text: text.replace("\r", "").replace("\n", ""))
    return texts | st.sampled_from(likely)

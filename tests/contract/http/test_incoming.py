"""What whoever holds a link may put there, and what is refused before and after its bytes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import FormData
from structlog.testing import capture_logs

from services.api.domain.storage import Caps
from services.api.domain.uploads import UploadState
from services.api.http import bodies
from shared.blobs.local import LocalStore
from tests.support.core import a_principal
from tests.support.uploading import FILE, FILE_MD5, blobs, expect, open_quay, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.uploads import Upload
    from tests.support.uploading import Quay

CONTENT_MD5 = base64.b64encode(bytes.fromhex(FILE_MD5)).decode()
OTHER_MD5 = base64.b64encode(bytes(16)).decode()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder for bytes."""
    return LocalStore(tmp_path / "blobs")


@pytest.fixture
async def quay(sqlite_url: str, store: LocalStore) -> AsyncIterator[Quay]:
    """A server that takes files in."""
    async with open_quay(sqlite_url, store) as opened:
        yield opened


async def is_untouched(quay: Quay, upload: Upload, store: LocalStore) -> bool:
    """Whether an upload waits as before, and nothing takes room."""
    return await quay.get(upload.id) == upload and not await blobs(store)


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_file_is_taken_in(quay: Quay, store: LocalStore, method: str) -> None:
    upload = await expect(quay.core)
    answer = await quay.send(quay.link(upload), method=method)
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, b"", f'"{FILE_MD5}"')
    after = await quay.get(upload.id)
    assert (after.state, after.version) == (UploadState.STORED, upload.version + 1)
    assert after.master is not None
    assert (after.master.size_bytes, after.master.md5) == (len(FILE), FILE_MD5)
    assert await blobs(store) == {after.master.blob_key: len(FILE)}
    tenant, id_, generation, _ = after.master.blob_key.split("/")
    assert (tenant, id_, generation) == ("default", str(upload.id), "1")
    assert quay.link(after) == ""


async def test_a_file_in_a_form(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core, content_type="image/png")
    form = FormData()
    form.add_field("key", "whatever a form of S3 says")
    form.add_field("file", FILE, filename="a.png", content_type="image/png; charset=x")
    assert (await quay.send(quay.link(upload), form, "POST")).status == 200
    assert list((await blobs(store)).values()) == [len(FILE)]


async def test_a_form_without_a_file(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    form = FormData(default_to_multipart=True)
    form.add_field("key", "x")
    answer = await quay.send(quay.link(upload), form, "POST")
    assert (answer.status, answer.code) == (400, "file_missing")
    form = FormData(default_to_multipart=True)
    form.add_field("key", "x" * 70_000)
    assert (await quay.send(quay.link(upload), form, "POST")).status == 413
    assert await is_untouched(quay, upload, store)


async def test_a_form_that_ends_early(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    for body in (head + FILE, head, b"--x", b""):
        answer = await quay.send(
            quay.link(upload), body, "POST", Content_Type="multipart/form-data; boundary=x"
        )
        assert answer.status == 400, body
    assert await is_untouched(quay, upload, store)


async def test_only_who_has_the_link_may(quay: Quay, store: LocalStore) -> None:
    upload, other = await expect(quay.core), await expect(quay.core)
    good = quay.link(upload)
    query = good.partition("?")[2]
    wrong = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace("expires=", "expires=1"),
        good.partition("?")[0],
        f"/incoming/{other.id}?{query}",
    ]
    for url in wrong:
        answer = await quay.send(url)
        assert (answer.status, answer.code) == (403, "link_invalid"), url
    assert (await quay.send(f"/incoming/x?{query}")).status == 404
    quay.pass_(hours=2)
    answer = await quay.send(good)
    assert (answer.status, answer.code) == (403, "link_expired")
    assert await is_untouched(quay, upload, store)


async def test_a_link_to_download_is_none_to_upload(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    expires = int(upload.expires_at.timestamp())
    signature = quay.core.use_cases.links.signer.sign(upload.id, expires)
    url = f"/incoming/{upload.id}?expires={expires}&signature={signature}"
    assert (await quay.send(url)).code == "link_invalid"
    assert await is_untouched(quay, upload, store)


async def test_a_file_comes_once(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    url = quay.link(upload)
    assert (await quay.send(url)).status == 200
    before = await blobs(store)
    again = await quay.send(url, b"another")
    assert again.status == 409
    assert await blobs(store) == before


async def test_of_two_at_once_one_is_taken(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield FILE[:100]
        begun.set()
        await go.wait()
        yield FILE[100:]

    late = asyncio.create_task(quay.send(quay.link(upload), slow()))
    await begun.wait()
    assert (await quay.send(quay.link(upload))).status == 200
    go.set()
    assert (await late).status == 409
    doomed = await quay.core.use_cases.blobs.doomed(10)
    after = await quay.get(upload.id)
    assert after.master is not None
    assert {*await blobs(store)} - {*doomed} == {after.master.blob_key}


async def test_a_deleted_upload_takes_nothing(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    url = quay.link(upload)
    await quay.core.use_cases.uploads.delete(a_principal(), upload.id)
    assert (await quay.send(url)).status == 404
    assert not await blobs(store)


@pytest.mark.parametrize(
    ("fields", "headers", "code"),
    [
        ({"declared_size": len(FILE) - 1}, {}, "too_large"),
        ({"declared_size": len(FILE) + 1}, {}, "size_differs"),
        ({"size_limit": len(FILE) - 1}, {}, "too_large"),
        ({"declared_md5": "0" * 32}, {}, "md5_differs"),
        ({}, {"Content_MD5": OTHER_MD5}, "md5_differs"),
        ({}, {"Digest": f"sha-256=x,MD5={OTHER_MD5}"}, "md5_differs"),
        ({}, {"Content_MD5": "x"}, "md5_invalid"),
        ({}, {"Content_MD5": OTHER_MD5, "Digest": f"md5={CONTENT_MD5}"}, "md5_invalid"),
        ({"content_type": "audio/wav"}, {"Content_Type": "audio/flac"}, "type_refused"),
        ({}, {"Content_Encoding": "gzip"}, "encoding_refused"),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_what_is_not_as_was_said(  # noqa: PLR0917 - the cases of a table
    quay: Quay,
    store: LocalStore,
    fields: dict[str, Any],
    headers: dict[str, str],
    code: str,
    is_chunked: bool,  # noqa: FBT001 - one of the cases
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield FILE

    upload = await expect(quay.core, **fields)
    answer = await quay.send(quay.link(upload), chunks() if is_chunked else FILE, **headers)
    assert answer.code == code
    assert answer.status == {"too_large": 413, "type_refused": 415, "encoding_refused": 415}.get(
        code, 400
    )
    assert await is_untouched(quay, upload, store)


async def test_what_is_as_was_said(quay: Quay) -> None:
    declared: dict[str, Any] = {"declared_size": len(FILE), "declared_md5": FILE_MD5}
    declared["content_type"] = "audio/WAV"
    said = {"Content_MD5": CONTENT_MD5, "Digest": f"md5={CONTENT_MD5}"}
    for type_ in ("audio/wav;codecs=1", "application/octet-stream"):
        upload = await expect(quay.core, **declared)
        assert (await quay.send(quay.link(upload), Content_Type=type_, **said)).status == 200


async def test_an_empty_file(quay: Quay) -> None:
    upload = await expect(quay.core)
    assert (await quay.send(quay.link(upload), b"")).status == 200
    after = await quay.get(upload.id)
    assert after.master is not None
    assert (after.master.size_bytes, after.master.md5) == (0, hashlib.md5(b"").hexdigest())


async def _raw(quay: Quay, url: str, *headers: str) -> tuple[asyncio.StreamReader, Any]:
    base = quay.session._base_url  # noqa: SLF001 - where the server is
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    head = "\r\n".join((f"PUT {url} HTTP/1.1", "Host: x", *headers, "", ""))
    writer.write(head.encode())
    return reader, writer


async def test_nothing_is_left_of_what_breaks_off(quay: Quay, store: LocalStore) -> None:
    upload = await expect(quay.core)
    _, writer = await _raw(quay, quay.link(upload), f"Content-Length: {len(FILE)}")
    writer.write(FILE[:1000])
    await writer.drain()
    await until(store, is_empty=False)
    with capture_logs() as logs:
        writer.close()
        await until(store, is_empty=True)
    assert "request_failed" not in {log["event"] for log in logs}
    assert (await quay.send(quay.link(upload))).status == 200


async def test_a_body_that_does_not_come(
    quay: Quay, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.2)
    upload = await expect(quay.core)
    reader, writer = await _raw(quay, quay.link(upload), f"Content-Length: {len(FILE)}")
    writer.write(FILE[:1000])
    async with asyncio.timeout(20):
        assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert await is_untouched(quay, upload, store)


async def test_who_asks_first_is_told_before_the_body(quay: Quay) -> None:
    asking = "Expect: 100-continue"
    for size, first in ((10, b"HTTP/1.1 100 "), (11, b"HTTP/1.1 413 ")):
        upload = await expect(quay.core, size_limit=10)
        reader, writer = await _raw(quay, quay.link(upload), f"Content-Length: {size}", asking)
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(first)
            if size == 10:
                assert await reader.readline() == b"\r\n"
                writer.write(FILE[:10])
                assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


async def test_another_expectation(quay: Quay) -> None:
    upload = await expect(quay.core)
    assert (await quay.send(quay.link(upload), Expect="a miracle")).status == 417


async def test_so_many_at_once(sqlite_url: str, store: LocalStore) -> None:
    async with open_quay(sqlite_url, store, {"upload_slots": 1}) as quay:
        first, second = await expect(quay.core), await expect(quay.core)
        go = asyncio.Event()
        begun = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"1"
            begun.set()
            await go.wait()

        running = asyncio.create_task(quay.send(quay.link(first), slow()))
        await begun.wait()
        await until(store, is_empty=False)
        busy = await quay.send(quay.link(second))
        assert (busy.status, busy.code, busy.headers["Retry-After"]) == (
            503,
            "too_many_uploads",
            "5",
        )
        go.set()
        assert (await running).status == 200
        assert (await quay.send(quay.link(second))).status == 200


async def test_there_is_no_room(sqlite_url: str, store: LocalStore) -> None:
    caps = Caps(stored_bytes=2 * len(FILE) - 1)
    async with open_quay(sqlite_url, store, caps=caps) as quay:
        uploads = [await expect(quay.core) for _ in range(2)]
        assert (await quay.send(quay.link(uploads[0]))).status == 200

        async def chunks() -> AsyncIterator[bytes]:
            yield FILE

        for body in (FILE, chunks()):
            answer = await quay.send(quay.link(uploads[1]), body)
            assert answer.status == 507
        kept, *_ = (await quay.get(uploads[0].id),)
        assert kept.master is not None
        doomed = await quay.core.use_cases.blobs.doomed(10)
        assert {*await blobs(store)} - {*doomed} == {kept.master.blob_key}


async def test_the_secret_is_not_logged(quay: Quay) -> None:
    upload = await expect(quay.core)
    url = quay.link(upload)
    with capture_logs() as logs:
        await quay.send(url, b"x", Content_MD5=OTHER_MD5)
        await quay.send(url)
    assert url.rpartition("=")[2] not in str(logs)

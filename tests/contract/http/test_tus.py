"""Uploads in several goes, as tus clients make them; over restarts and beside each other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from services.api.domain.queries import UploadQuery
from services.api.domain.uploads import UploadState
from services.api.secrets import SecretKeys
from services.api.use_cases import appending
from shared.blobs.local import LocalStore
from tests.support.core import a_principal
from tests.support.uploading import FILE, FILE_MD5, blobs, expect, open_quay, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.uploads import Upload
    from tests.support.links import Fetched
    from tests.support.uploading import Quay

OFFSET = "application/offset+octet-stream"
SIZE = len(FILE)
HALF = SIZE // 2


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder for bytes."""
    return LocalStore(tmp_path / "blobs")


@pytest.fixture
async def quay(sqlite_url: str, store: LocalStore) -> AsyncIterator[Quay]:
    """A server that takes files in."""
    async with open_quay(sqlite_url, store) as opened:
        yield opened


async def ask(quay: Quay, method: str, url: str, data: Any = None, **headers: str) -> Fetched:
    """A request of a tus client."""
    return await quay.send(url, data, method, Tus_Resumable="1.0.0", **headers)


async def patch(
    quay: Quay, url: str, data: Any, offset: int, type_: str = OFFSET, **headers: str
) -> Fetched:
    sent = {"Content_Type": type_, "Upload_Offset": str(offset), **headers}
    return await ask(quay, "PATCH", url, data, **sent)


async def offset(quay: Quay, url: str) -> int:
    answer = await ask(quay, "HEAD", url)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
async def upload(quay: Quay) -> Upload:
    """One that waits for as many bytes as the file has."""
    return await expect(quay.core, declared_size=SIZE)


async def test_what_is_spoken(quay: Quay) -> None:
    for url in ("/incoming", "/incoming/x"):
        answer = await quay.send(url, None, "OPTIONS")
        assert answer.status == 204
        assert answer.headers["Tus-Resumable"] == answer.headers["Tus-Version"] == "1.0.0"
        assert {"creation", "termination", "checksum", "expiration"} < {
            *answer.headers["Tus-Extension"].split(",")
        }


async def test_another_version(quay: Quay, upload: Upload) -> None:
    answer = await quay.send(quay.link(upload), None, "HEAD", Tus_Resumable="0.2.2")
    assert (answer.status, answer.headers["Tus-Version"]) == (412, "1.0.0")


async def test_a_file_in_two_goes(quay: Quay, store: LocalStore, upload: Upload) -> None:
    url = quay.link(upload)
    assert await offset(quay, url) == 0
    first = await patch(quay, url, FILE[:HALF], 0)
    assert (first.status, first.headers["Upload-Offset"]) == (204, str(HALF))
    assert first.headers["Tus-Resumable"] == "1.0.0"
    assert parsedate_to_datetime(first.headers["Upload-Expires"]) == upload.expires_at
    assert (await quay.get(upload.id)).state is UploadState.WAITING
    assert await offset(quay, url) == HALF
    last = await patch(quay, url, FILE[HALF:], HALF)
    assert (last.status, last.headers["Upload-Offset"]) == (204, str(SIZE))
    after = await quay.get(upload.id)
    assert after.master is not None
    assert (after.state, after.master.md5) == (UploadState.STORED, FILE_MD5)
    assert await blobs(store) == {after.master.blob_key: SIZE}
    assert await offset(quay, url) == SIZE


async def test_creation(quay: Quay) -> None:
    token = await quay.core.use_cases.tokens.issue("default", "t", ["uploads:write"])
    told = {"filename": b"a.wav", "filetype": b"audio/wav", "kind": b"master", "else": b"x"}
    metadata = ",".join(f"{name} {encoded(value)}" for name, value in told.items())
    answer = await ask(
        quay,
        "POST",
        "/incoming",
        Authorization=f"Bearer {token}",
        Upload_Length=str(SIZE),
        Upload_Metadata=metadata,
    )
    assert answer.status == 201
    url = answer.headers["Location"]
    assert (await patch(quay, url, FILE, 0)).status == 204
    [stored] = (await quay.core.use_cases.uploads.list(a_principal(), UploadQuery())).items
    assert (stored.file_name, stored.content_type) == ("a.wav", "audio/wav")
    assert stored.state is UploadState.STORED


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload_Length": "0"},
        {"Upload_Length": "-1"},
        {"Upload_Length": str(65 * 1024**3)},
        {"Upload_Length": "1", "Upload_Metadata": "filename !"},
        {"Upload_Length": "1", "Upload_Metadata": f"kind {encoded(b'x')}"},
    ],
)
async def test_what_is_not_created(quay: Quay, headers: dict[str, str]) -> None:
    token = await quay.core.use_cases.tokens.issue("default", "t", ["uploads:write"])
    answer = await ask(quay, "POST", "/incoming", Authorization=f"Bearer {token}", **headers)
    assert answer.status == 400


async def test_a_size_that_is_told_later(quay: Quay) -> None:
    upload = await expect(quay.core, size_limit=SIZE)
    url = quay.link(upload)
    assert (await ask(quay, "HEAD", url)).headers["Upload-Defer-Length"] == "1"
    assert (await patch(quay, url, FILE[:1], 0)).status == 400
    assert (await patch(quay, url, FILE[:1], 0, Upload_Length=str(SIZE + 1))).status == 400
    assert (await patch(quay, url, FILE[:HALF], 0, Upload_Length=str(SIZE))).status == 204
    assert (await ask(quay, "HEAD", url)).headers["Upload-Length"] == str(SIZE)
    assert (await patch(quay, url, FILE[HALF:], HALF, Upload_Length=str(HALF))).status == 400
    assert (await patch(quay, url, FILE[HALF:], HALF)).status == 204


async def test_it_goes_on_after_a_restart(sqlite_url: str, store: LocalStore) -> None:
    keys = SecretKeys.generate()
    async with open_quay(sqlite_url, store, keys=keys) as quay:
        upload = await expect(quay.core, declared_size=SIZE, declared_md5=FILE_MD5)
        url = quay.link(upload)
        assert (await patch(quay, url, FILE[:HALF], 0)).status == 204
    async with open_quay(sqlite_url, store, keys=keys) as quay:
        assert await offset(quay, url) == HALF
        assert (await patch(quay, url, FILE[HALF:], HALF)).status == 204
        assert (await quay.get(upload.id)).state is UploadState.STORED


async def test_what_breaks_off_stays(quay: Quay, store: LocalStore, upload: Upload) -> None:
    url = quay.link(upload)
    base = quay.session._base_url  # noqa: SLF001 - where the server is
    assert base is not None
    _, writer = await asyncio.open_connection(base.host, base.port)
    head = (f"PATCH {url} HTTP/1.1", "Host: x", f"Content-Type: {OFFSET}", "Upload-Offset: 0")
    writer.write("\r\n".join((*head, f"Content-Length: {SIZE}", "", "")).encode() + FILE[:100])
    await writer.drain()
    await until(store, is_empty=False)
    assert (await patch(quay, url, FILE, 0)).status == 423
    writer.close()
    async with asyncio.timeout(20):
        while await offset(quay, url) == 0:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.01)
    come = await offset(quay, url)
    assert come == 100
    assert (await patch(quay, url, FILE[come:], come)).status == 204
    assert (await quay.get(upload.id)).state is UploadState.STORED


async def test_a_killed_process_loses_little(
    quay: Quay, store: LocalStore, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted counts; what was written behind it may be anything."""
    monkeypatch.setattr(appending, "SAFE_EVERY", 1)
    with store.grow(upload.drop_key) as part:
        part.write(FILE[:HALF])
        part.sync()
        part.write(b"never made safe")
    url = quay.link(upload)
    assert await offset(quay, url) == HALF
    assert (await patch(quay, url, FILE[HALF:], HALF)).status == 204
    after = await quay.get(upload.id)
    assert after.master is not None
    assert after.master.md5 == FILE_MD5


async def test_the_wrong_place(quay: Quay, upload: Upload) -> None:
    url = quay.link(upload)
    assert (await patch(quay, url, FILE[:HALF], 0)).status == 204
    for wrong in (0, HALF - 1, HALF + 1):
        answer = await patch(quay, url, FILE[HALF:], wrong)
        assert (answer.status, answer.code) == (409, "offset_differs")
    assert (await ask(quay, "PATCH", url, b"x", Content_Type=OFFSET)).status == 400
    assert (await patch(quay, url, b"x", HALF, "text/plain")).status == 415
    assert await offset(quay, url) == HALF


async def test_too_much(quay: Quay, upload: Upload) -> None:
    url = quay.link(upload)
    answer = await patch(quay, url, FILE + b"x", 0)
    assert (answer.status, answer.code) == (413, "too_large")
    assert (await quay.get(upload.id)).state is UploadState.WAITING


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
async def test_checksums(quay: Quay, upload: Upload, algorithm: str) -> None:
    url = quay.link(upload)
    right, wrong = (
        f"{algorithm} {encoded(hashlib.new(algorithm, data).digest())}"
        for data in (FILE[:HALF], b"other")
    )
    answer = await patch(quay, url, FILE[:HALF], 0, Upload_Checksum=wrong)
    assert (answer.status, answer.code) == (460, "checksum_differs")
    assert await offset(quay, url) == 0
    assert (await patch(quay, url, FILE[:HALF], 0, Upload_Checksum=right)).status == 204
    for none in ("crc32 AAAA", "md5 !"):
        assert (await patch(quay, url, b"", HALF, Upload_Checksum=none)).status == 400


async def test_a_whole_that_is_wrong_begins_anew(quay: Quay) -> None:
    upload = await expect(quay.core, declared_size=SIZE, declared_md5="0" * 32)
    url = quay.link(upload)
    answer = await patch(quay, url, FILE, 0)
    assert (answer.status, answer.code) == (400, "md5_differs")
    assert await offset(quay, url) == 0


async def test_termination(quay: Quay, store: LocalStore, upload: Upload) -> None:
    url = quay.link(upload)
    await patch(quay, url, FILE[:HALF], 0)
    assert (await ask(quay, "DELETE", url)).status == 204
    assert (await ask(quay, "HEAD", url)).status == 404
    for key in await quay.core.use_cases.blobs.doomed(10):
        await store.delete(key)
    assert not await blobs(store)


async def test_a_put_after_some_goes(quay: Quay, store: LocalStore, upload: Upload) -> None:
    url = quay.link(upload)
    await patch(quay, url, FILE[:HALF], 0)
    assert (await quay.send(url)).status == 200
    assert (await patch(quay, url, FILE[HALF:], HALF)).status == 409
    for key in await quay.core.use_cases.blobs.doomed(10):
        await store.delete(key)
    assert len(await blobs(store)) == 1


async def test_only_who_has_the_link_may(quay: Quay, upload: Upload) -> None:
    url = quay.link(upload)[:-5] + "wrong"
    for method in ("HEAD", "PATCH", "DELETE"):
        sent = {"Content_Type": OFFSET, "Upload_Offset": "0"} if method == "PATCH" else {}
        assert (await ask(quay, method, url, **sent)).status == 403
    quay.pass_(hours=2)
    assert (await patch(quay, quay.link(upload) or url, FILE, 0)).status == 403

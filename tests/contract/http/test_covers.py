"""Covers: brought as a file, proven, seen by link."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import update

from services.api.db import named_rows, storage_rows
from services.api.db.tables import uploads as uploads_table
from services.api.domain.errors import InvalidFields, RelatedNotFound
from services.api.domain.nouns import PRODUCTS
from services.api.domain.principal import SCOPES
from services.api.domain.storage import Caps
from services.api.domain.task import Target
from services.api.domain.uploads import UploadState
from services.api.use_cases.items import Fields
from shared.blobs.local import LocalStore
from tests.support.catalogue import NOUNS, ask
from tests.support.core import a_principal
from tests.support.door import open_door
from tests.support.jsonapi import Client
from tests.support.pictures import MEDIA_TYPES, picture
from tests.support.uploading import blobs, expect, open_quay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from services.api.domain.uploads import Upload
    from stagedoor.v1 import product_service_pb2 as pb
    from tests.support.links import Fetched
    from tests.support.uploading import Quay

WHO = a_principal()
PICTURE = picture("mjpeg", 600, 600)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder for bytes."""
    return LocalStore(tmp_path / "blobs")


@pytest.fixture
async def quay(sqlite_url: str, store: LocalStore) -> AsyncIterator[Quay]:
    """A server that takes files in."""
    async with open_quay(sqlite_url, store) as opened:
        yield opened


@pytest.fixture
async def product(quay: Quay) -> Target:
    """A product without a cover."""
    items = quay.core.use_cases.catalogue[PRODUCTS.collection]
    return Target("products", (await items.create(WHO, Fields(title="An album"))).id)


async def bring(quay: Quay, target: Target, data: bytes = PICTURE, **headers: str) -> Fetched:
    upload = await expect(quay.core, kind="cover", target=target)
    return await quay.send(quay.link(upload), data, **headers)


async def cover_of(quay: Quay, target: Target) -> UUID | None:
    item = await quay.core.use_cases.catalogue[target.type].get(WHO, target.id)
    found: UUID | None = item.cover_id
    return found


async def see(quay: Quay, cover: UUID | None, *, thumbnail: bool = False) -> Fetched:
    url = quay.core.use_cases.covers.link(cover, thumbnail=thumbnail)
    return await quay.send(url, None, "GET")


async def stored(quay: Quay) -> int:
    return await quay.core.use_cases.executor.read(
        lambda c: storage_rows.find(c, "default", Caps()).stored
    )


async def kept(quay: Quay, store: LocalStore) -> dict[str, int]:
    """What is in the store once all that is doomed has been deleted."""
    for key in await quay.core.use_cases.blobs.doomed(100):
        await store.delete(key)
    return await blobs(store)


@pytest.mark.parametrize("codec", MEDIA_TYPES)
async def test_a_cover_is_seen(quay: Quay, store: LocalStore, product: Target, codec: str) -> None:
    data = picture(codec, 640, 640)
    assert (await bring(quay, product, data, Content_Type=MEDIA_TYPES[codec])).status == 200
    cover = await cover_of(quay, product)
    whole = await see(quay, cover)
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (
        200,
        data,
        MEDIA_TYPES[codec],
    )
    small = await see(quay, cover, thumbnail=True)
    assert (small.status, small.headers["Content-Type"]) == (200, "image/jpeg")
    assert small.body.startswith(b"\xff\xd8")
    assert len(await kept(quay, store)) == 2
    assert await stored(quay) == len(data) + len(small.body)


async def test_a_cover_is_told_of_over_http(quay: Quay, product: Target) -> None:
    token = await quay.core.use_cases.tokens.issue("default", "test", SCOPES)
    client = Client(quay.session, token)
    number = (await quay.core.use_cases.catalogue["products"].get(WHO, product.id)).number
    paths = {
        f"/products/{product.id}": ("coverUrl", "coverThumbnailUrl"),
        f"/api/v2/products/{number}": ("cover-url", "cover-thumbnail-url"),
    }
    for path, names in paths.items():
        attributes = (await client.get(path)).document["data"]["attributes"]
        assert [attributes[name] for name in names] == [None, None]
    await bring(quay, product)
    thumbnail = await see(quay, await cover_of(quay, product), thumbnail=True)
    for path, names in paths.items():
        attributes = (await client.get(path)).document["data"]["attributes"]
        for name, expected in zip(names, (PICTURE, thumbnail.body), strict=True):
            assert attributes[name].startswith("http://127.0.0.1:")
            assert (await quay.send(attributes[name], None, "GET")).body == expected


async def test_an_upload_that_is_a_cover_has_no_bytes_of_its_own(
    quay: Quay, product: Target
) -> None:
    upload = await expect(quay.core, kind="cover", target=product)
    await quay.send(quay.link(upload), PICTURE)
    after = await quay.get(upload.id)
    assert (after.state, after.master) == (UploadState.IMPORTED, None)
    await quay.core.use_cases.uploads.delete(WHO, upload.id)
    assert (await see(quay, await cover_of(quay, product))).status == 200


async def test_a_new_cover_takes_the_place_of_the_old(
    quay: Quay, store: LocalStore, product: Target
) -> None:
    await bring(quay, product)
    old = await cover_of(quay, product)
    other = picture("png", 300, 300)
    await bring(quay, product, other)
    new = await cover_of(quay, product)
    assert old != new
    assert (await see(quay, old)).status == 404
    assert (await see(quay, new)).body == other
    left = await kept(quay, store)
    assert len(left) == 2
    assert await stored(quay) == sum(left.values())


async def test_a_cover_goes_with_what_it_is_of(
    quay: Quay, store: LocalStore, product: Target
) -> None:
    await bring(quay, product)
    await quay.core.use_cases.catalogue["products"].delete(WHO, product.id)
    assert not await kept(quay, store)
    assert await stored(quay) == 0


async def test_a_change_of_the_product_keeps_its_cover(quay: Quay, product: Target) -> None:
    await bring(quay, product)
    before = await cover_of(quay, product)
    items = quay.core.use_cases.catalogue["products"]
    after = await items.update(WHO, product.id, Fields(title="Another title"))
    assert after.cover_id == before


@pytest.mark.parametrize(
    "data",
    [b"no picture", PICTURE[:200], picture("png", 299, 299), picture("png", 600, 620)],
    ids=["text", "cut", "small", "not square"],
)
async def test_what_is_no_cover(
    quay: Quay, store: LocalStore, product: Target, data: bytes
) -> None:
    answer = await bring(quay, product, data)
    assert (answer.status, answer.code) == (422, "cover_refused")
    assert await cover_of(quay, product) is None
    assert not await kept(quay, store)
    assert await stored(quay) == 0


async def test_another_type_is_refused_before_the_body(quay: Quay, product: Target) -> None:
    assert (await bring(quay, product, Content_Type="image/gif")).code == "type_refused"


async def test_a_cover_in_goes(quay: Quay, store: LocalStore, product: Target) -> None:
    upload = await expect(quay.core, kind="cover", target=product, declared_size=len(PICTURE))
    sent = {"Content_Type": "application/offset+octet-stream"}
    for start, end in ((0, 100), (100, len(PICTURE))):
        answer = await quay.send(
            quay.link(upload), PICTURE[start:end], "PATCH", Upload_Offset=str(start), **sent
        )
        assert answer.status == 204
    assert (await see(quay, await cover_of(quay, product))).body == PICTURE
    assert len(await kept(quay, store)) == 2


async def test_when_what_it_is_of_is_gone(quay: Quay, store: LocalStore, product: Target) -> None:
    upload = await expect(quay.core, kind="cover", target=product)
    await quay.core.use_cases.catalogue["products"].delete(WHO, product.id)
    assert (await quay.send(quay.link(upload), PICTURE)).status == 404
    assert not await kept(quay, store)


async def test_only_who_has_the_link_sees_it(quay: Quay, product: Target) -> None:
    await bring(quay, product)
    cover = await cover_of(quay, product)
    covers = quay.core.use_cases.covers
    url = covers.link(cover)
    assert (await quay.send(url[:-5] + "wrong", None, "GET")).code == "link_invalid"
    assert (await quay.send(url.partition("?")[0], None, "GET")).code == "link_invalid"
    upload = await expect(quay.core)
    theirs = quay.link(upload).partition("?")[2]
    assert (await quay.send(f"/covers/{cover}?{theirs}", None, "GET")).status == 403


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "cover"}, "target"),
        ({"kind": "cover", "target": Target("videos", UUID(int=1))}, "target"),
        ({"kind": "master", "target": Target("products", UUID(int=1))}, "target"),
        ({"kind": "cover", "size_limit": 20 * 1024 * 1024 + 1}, "size_limit"),
    ],
)
async def test_what_a_cover_cannot_be(
    quay: Quay, product: Target, fields: dict[str, Any], wrong: str
) -> None:
    if wrong == "size_limit":
        fields = {**fields, "target": product}
    with pytest.raises(InvalidFields) as refused:
        await expect(quay.core, **fields)
    assert [each.field for each in refused.value.violations] == [wrong]


async def test_another_s_product_has_no_cover_of_mine(quay: Quay, product: Target) -> None:
    with pytest.raises(RelatedNotFound):
        await expect(quay.core, "other", kind="cover", target=product)


async def test_what_has_expired_leaves_the_cover(
    quay: Quay, store: LocalStore, product: Target
) -> None:
    upload: Upload = await expect(quay.core, kind="cover", target=product)
    await quay.send(quay.link(upload), PICTURE)
    past = upload.created_at - timedelta(days=1)
    changed = update(uploads_table).values(expires_at=past)
    await quay.core.use_cases.executor.write(lambda t: t.connection.execute(changed))
    assert (await quay.core.use_cases.retention.prune())["uploads"] == 1
    assert len(await kept(quay, store)) == 2
    assert await quay.core.use_cases.blobs.unknown(list(await blobs(store))) == set()


async def test_a_backup_has_both(quay: Quay, store: LocalStore, product: Target) -> None:
    await bring(quay, product)

    def named(page: Any) -> Any:
        return quay.core.use_cases.executor.read(lambda c: page(c, "default", None))

    both = await named(named_rows.page_of_covers) + await named(named_rows.page_of_thumbnails)
    assert {each.key: each.size for each in both} == await blobs(store)


async def test_the_contract_tells_where(quay: Quay, product: Target) -> None:
    [noun] = [each for each in NOUNS if each.name == "Product"]
    async with open_door(quay.core) as door:
        name = f"products/{product.id}"
        before: pb.Product = await ask(door, noun, "Get", name=name)
        await bring(quay, product)
        after: pb.Product = await ask(door, noun, "Get", name=name)
    assert (before.cover_uri, before.cover_thumbnail_uri) == ("", "")
    assert (await quay.send(after.cover_uri, None, "GET")).body == PICTURE
    assert (await quay.send(after.cover_thumbnail_uri, None, "GET")).status == 200
    assert after.etag != before.etag

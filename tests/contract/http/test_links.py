"""What opens a link and what does not: a real server, real files, a clock to set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import pytest
import structlog

from services.api.domain.links import PURPOSE, Signer
from services.api.secrets import SecretKeys
from services.api.use_cases.import_tasks import TaskFields
from shared.blobs.base import StoreUnavailable
from shared.blobs.local import LocalStore
from tests.support.core import a_principal
from tests.support.links import BYTES, serve_shop, stored
from tests.support.spans import spans

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from tests.support.links import Shop

__all__ = ["spans"]


def changed(url: str, **query: str | None) -> str:
    """A URL with other values in its query; None takes one out."""
    parts = urlsplit(url)
    pairs = {**dict(parse_qsl(parts.query)), **query}
    kept = {name: value for name, value in pairs.items() if value is not None}
    return parts._replace(query=urlencode(kept)).geturl()


def part(url: str, name: str) -> str:
    """A value in the query of a URL."""
    return dict(parse_qsl(urlsplit(url).query))[name]


# What opens nothing


async def test_a_link_is_for_its_record_alone(shop: Shop, url: str, record: UUID) -> None:
    other = await stored(shop.core, isrc="USRC12345679", data=b"others")
    theirs = (await shop.link(other)).url
    swapped = [url.replace(str(record), str(other)), theirs.replace(str(other), str(record))]
    signed = [
        changed(url, signature=part(theirs, "signature")),
        url.replace(str(record), str(UUID(int=7))),
    ]
    for each in (*swapped, *signed):
        answer = await shop.fetch(each)
        assert (answer.status, answer.code) == (403, "link_invalid"), each
    assert (await shop.fetch(theirs)).body == b"others"


@pytest.mark.parametrize("by", [-1, 1, 10**6])
async def test_nobody_makes_a_link_last_longer(shop: Shop, url: str, by: int) -> None:
    answer = await shop.fetch(changed(url, expires=str(int(part(url, "expires")) + by)))
    assert (answer.status, answer.code) == (403, "link_invalid")


@pytest.mark.parametrize(
    "expires",
    ["", "x", "0", "-1", "1e9", "\uff19", "\u00ed\u00a0\u0080"],
)
async def test_a_time_that_is_none(shop: Shop, url: str, expires: str) -> None:
    answer = await shop.fetch(changed(url, expires=expires))
    assert (answer.status, answer.code) == (403, "link_invalid")


async def test_every_character_of_a_signature_counts(shop: Shop, url: str) -> None:
    good = part(url, "signature")
    assert len(good) == 43
    for at, character in enumerate(good):
        other = "A" if character != "A" else "B"
        answer = await shop.fetch(changed(url, signature=good[:at] + other + good[at + 1 :]))
        assert (answer.status, answer.code) == (403, "link_invalid"), at


async def test_a_signature_has_one_spelling(shop: Shop, url: str) -> None:
    good = part(url, "signature")
    for bad in (f"{good}=", f"{good}A", good[:-1], good.lower(), "é", ""):
        answer = await shop.fetch(changed(url, signature=bad))
        assert (answer.status, answer.code) == (403, "link_invalid"), bad
    for missing in ("expires", "signature"):
        assert (await shop.fetch(changed(url, **{missing: None}))).code == "link_invalid"
    answer = await shop.fetch(f"{changed(url, signature='x')}&signature={good}")
    assert answer.code == "link_invalid"


async def test_what_is_no_id_is_not_found(shop: Shop, url: str, record: UUID) -> None:
    assert (await shop.fetch(url.replace(str(record), "x"))).status == 404
    assert (await shop.fetch(url.replace(str(record), f"{record}/x"))).status == 404


async def test_a_link_is_good_until_it_expires(shop: Shop, record: UUID) -> None:
    link = await shop.link(record, 60)
    assert link.expires_at == shop.now.replace(microsecond=0) + timedelta(seconds=60)
    shop.now = link.expires_at - timedelta(microseconds=1)
    assert (await shop.fetch(link.url)).status == 200
    shop.now = link.expires_at
    answer = await shop.fetch(link.url)
    assert (answer.status, answer.code) == (403, "link_expired")
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    # Of a link that is not ours nothing is said, not even that it is old.
    assert (await shop.fetch(changed(link.url, signature="x"))).code == "link_invalid"


async def test_keys_can_be_changed(shop: Shop, url: str) -> None:
    core, new = shop.core, SecretKeys.generate().derived(PURPOSE)
    links = core.use_cases.links
    for keys, status in (((new, *links.signer.keys), 200), ((new,), 403)):
        changed_ = replace(links, signer=Signer(keys))
        rotated = replace(core, use_cases=replace(core.use_cases, links=changed_))
        async with serve_shop(rotated) as later:
            assert (await later.fetch(url)).status == status
            made = (await later.link(UUID(urlsplit(url).path.rpartition("/")[2]))).url
            assert (await later.fetch(made)).status == 200
            assert part(made, "signature") != part(url, "signature")


async def test_a_key_is_for_one_purpose() -> None:
    keys = SecretKeys.generate()
    assert keys.derived(PURPOSE) not in {*keys.keys, keys.derived(b"another purpose")}


# What is not there any more


async def test_a_superseded_record_is_gone(shop: Shop, url: str, record: UUID) -> None:
    use_cases = shop.core.use_cases
    task = (await use_cases.records.get(a_principal(), record)).task_id
    fields = TaskFields(isrc="USRC12345679")
    new = (await use_cases.import_tasks.update(a_principal(), task, fields)).record_id
    answer = await shop.fetch(url)
    assert (answer.status, answer.document["errors"][0]["status"]) == (404, "404")
    assert new is not None
    fresh = await shop.fetch((await shop.link(new)).url)
    assert (fresh.status, fresh.body) == (200, BYTES)


async def test_a_deleted_record_is_gone(shop: Shop, url: str, record: UUID) -> None:
    use_cases = shop.core.use_cases
    task = (await use_cases.records.get(a_principal(), record)).task_id
    await use_cases.import_tasks.delete(a_principal(), task)
    assert (await shop.fetch(url)).status == 404


async def test_bytes_that_are_being_deleted(shop: Shop, url: str, store: LocalStore) -> None:
    [key] = [blob.key async for blob in store.keys("default")]
    await store.delete(key)
    assert (await shop.fetch(url)).status == 404


class _Away(LocalStore):
    async def size(self, key: str) -> int:
        raise StoreUnavailable(key)


class _Remote(LocalStore):
    async def link(self, key: str, *, lasting: timedelta, filename: str) -> str | None:
        return f"https://store.example.com/{key}?{lasting}&{filename}"


async def test_a_store_that_is_away(shop: Shop, url: str, tmp_path: Path) -> None:
    answer = await _asked_of(_Away(tmp_path / "blobs"), shop, url)
    assert answer == 503


async def test_a_store_that_gives_links_itself_is_not_copied(
    shop: Shop, url: str, tmp_path: Path
) -> None:
    """A copy of a whole master for each request would fill the disk."""
    assert await _asked_of(_Remote(tmp_path / "blobs"), shop, url) == 404


async def _asked_of(store: LocalStore, shop: Shop, url: str) -> int:
    use_cases = shop.core.use_cases
    links = replace(use_cases.links, store=store)
    async with serve_shop(replace(shop.core, use_cases=replace(use_cases, links=links))) as later:
        return (await later.fetch(url)).status


async def test_only_reading_is_possible(shop: Shop, url: str) -> None:
    answer = await shop.fetch(url, "POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


# The secret


async def test_nothing_tells_the_query(
    shop: Shop,
    url: str,
    spans: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    bad = changed(url, signature=part(url, "signature")[:-2] + "zz")
    with structlog.testing.capture_logs() as logs:
        for each in (url, bad, f"{url}&x=\ud7ff"):
            await shop.fetch(each)
    told = str([span.to_json() for span in spans.get_finished_spans()])
    assert told.count("/files/{id}") >= 3
    everything = told + str(logs) + caplog.text + "".join(capfd.readouterr())
    assert part(url, "signature")[:20] not in everything
    assert "expires=" not in everything

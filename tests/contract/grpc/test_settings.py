"""SettingsService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from stagedoor.v1.audit_service_pb2 import ListAuditEntriesRequest
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceStub
from stagedoor.v1.settings_service_pb2 import (
    GetSettingsRequest,
    Settings,
    UpdateSettingsRequest,
)
from stagedoor.v1.settings_service_pb2_grpc import SettingsServiceStub
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.door import Door, Metadata


async def get(door: Door, who: Metadata | None = None, name: str = "settings") -> Settings:
    call = SettingsServiceStub(door.channel).GetSettings
    return await call(GetSettingsRequest(name=name), metadata=who or door.admin)


async def update(
    door: Door, *paths: str, name: str = "settings", who: Metadata | None = None, **values: str
) -> Settings:
    settings = Settings(name=name, **values)  # type: ignore[arg-type] # all of them are strings
    request = UpdateSettingsRequest(settings=settings, update_mask=FieldMask(paths=paths))
    call = SettingsServiceStub(door.channel).UpdateSettings
    return await call(request, metadata=who or door.admin)


async def test_they_are_defaults_then_what_was_chosen_then_defaults(door: Door) -> None:
    first = await get(door)
    assert (first.name, first.delivery_profile) == ("settings", "")
    assert not first.HasField("update_time")
    chosen = await update(door, delivery_profile="apple-music", etag=first.etag)
    assert (chosen.delivery_profile, chosen.HasField("update_time")) == ("apple-music", True)
    assert await get(door) == chosen
    assert await update(door, delivery_profile="apple-music") == chosen
    assert (await update(door, "*")).delivery_profile == ""


async def test_they_are_the_tenant_s(door: Door) -> None:
    await update(door, delivery_profile="apple-music")
    stranger = await door.holder("admin", tenant="other")
    assert (await get(door, stranger)).delivery_profile == ""
    theirs = await update(door, who=stranger, delivery_profile="atmos")
    await update(door, "*")
    assert await get(door, stranger) == theirs


@pytest.mark.parametrize("paths", [(), ("update_time",)], ids=["none", "not-ours"])
async def test_a_mask_without_the_profile_leaves_it(door: Door, paths: tuple[str, ...]) -> None:
    chosen = await update(door, delivery_profile="apple-music")
    sent = "atmos" if paths else ""
    assert await update(door, *paths, delivery_profile=sent) == chosen


async def test_somebody_else_s_change_is_not_overwritten(door: Door) -> None:
    old = (await get(door)).etag
    await update(door, delivery_profile="apple-music", etag=old)
    answer = await refused(update(door, delivery_profile="atmos", etag=old))
    assert (answer.code, answer.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    assert (await get(door)).delivery_profile == "apple-music"


async def test_an_unknown_profile_is_refused(door: Door) -> None:
    answer = await refused(update(door, delivery_profile="nope"))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {"settings.delivery_profile": "INVALID"}


@pytest.mark.parametrize("name", ["", "settings/1", "other"])
async def test_there_are_no_other_settings(door: Door, name: str) -> None:
    for call in (get(door, name=name), update(door, name=name, delivery_profile="atmos")):
        assert (await refused(call)).code is StatusCode.INVALID_ARGUMENT


async def test_a_change_is_in_the_audit_log(door: Door) -> None:
    await update(door, delivery_profile="apple-music")
    log = await AuditServiceStub(door.channel).ListAuditEntries(
        ListAuditEntriesRequest(), metadata=door.admin
    )
    assert [(e.action, e.resource) for e in log.audit_entries][1:] == [
        ("settings.update", "settings")
    ]

"""What the declarations promise is what the server shows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Refused, error
from services.api.domain.task import Target
from services.api.http.facades.atmos import RECORDS, TASKS
from services.api.http.facades.catalogue import RESOURCES as CATALOGUE

if TYPE_CHECKING:
    from services.api.http.jsonapi.resource import Attribute, Resource
    from tests.support.core import Core
    from tests.support.jsonapi import Client

RESOURCES: list[Resource[Any]] = [TASKS, RECORDS, *CATALOGUE.values()]
MEMBER_NAME = re.compile(r"[a-z][a-zA-Z0-9]*")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.type)
async def test_every_value_is_of_its_kind(
    client: Client, core: Core, resource: Resource[Any]
) -> None:
    await core.complete(await core.task())
    failed = await core.task("USRC12345679")
    run = await core.claim(failed.id, Stage.DOWNLOAD)
    refused = Refused(problems=(error("not_found", "The origin answered 404."),))
    assert await core.use_cases.runs.report(failed.id, run, refused)
    for item in (await client.get(f"/{resource.type}")).document["data"]:
        shown = [attribute for attribute in resource.attributes if attribute.read]
        assert [*item["attributes"]] == [attribute.name for attribute in shown]
        for attribute in shown:
            msgspec.convert(item["attributes"][attribute.name], attribute.kind)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda each: each.type)
def test_names_are_legal_and_unique(resource: Resource[Any]) -> None:
    names = [attribute.name for attribute in resource.attributes]
    names += [relationship.name for relationship in resource.relationships]
    assert len(set(names)) == len(names)
    assert not {"id", "type"} & set(names)
    assert all(MEMBER_NAME.fullmatch(name) for name in names)


def test_every_kind_has_a_json_schema() -> None:
    attributes: list[Attribute[Any]] = [each for one in RESOURCES for each in one.attributes]
    kinds = [attribute.kind for attribute in attributes]
    schemas, _ = msgspec.json.schema_components(kinds)
    assert len(schemas) == len(kinds)


async def test_a_target_that_is_no_track_is_not_shown_as_one(core: Core) -> None:
    task = replace(await core.task(), target=Target("videos", uuid4()))
    track = TASKS.relationships[0]
    assert track.linkage(task) is None

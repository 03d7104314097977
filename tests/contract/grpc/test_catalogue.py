"""Every noun of the catalogue over a real channel, by the same rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from services.api.domain.errors import RelatedNotFound
from services.api.domain.task import Target
from services.api.use_cases.import_tasks import TaskFields
from stagedoor.v1.import_task_service_pb2 import (
    GetImportTaskRequest,
    ImportTask,
    ListImportTasksRequest,
    UpdateImportTaskRequest,
)
from tests.support.catalogue import BY_TYPE, NOUNS, ask, new_message, one_of_each
from tests.support.core import a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.catalogue import Noun
    from tests.support.core import Core
    from tests.support.door import Door

EACH = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.type)
LINKS = [(noun, name, to) for noun in NOUNS for name, to in noun.references.items()]
EACH_LINK = pytest.mark.parametrize(
    ("noun", "name", "to"), LINKS, ids=lambda value: getattr(value, "type", value)
)
TARGETS = ("tracks", "products", "videos", "asset-attachments")


async def create(door: Door, noun: Noun, **values: object) -> Any:
    return await ask(door, noun, "Create", **{noun.snake: new_message(noun, **values)})


async def update(door: Door, noun: Noun, message: Any, *paths: str) -> Any:
    mask = FieldMask(paths=paths)
    return await ask(door, noun, "Update", **{noun.snake: message}, update_mask=mask)


async def names(door: Door, noun: Noun, **request: Any) -> list[str]:
    answer = await ask(door, noun, "List", **request)
    return [item.name for item in getattr(answer, f"{noun.snake}s")]


@EACH
async def test_from_create_to_delete(door: Door, noun: Noun) -> None:
    title = noun.title[0]
    made = await create(door, noun, **{title: "First"})
    assert made.name.startswith(f"{noun.collection}/")
    assert (getattr(made, title), made.number, made.etag) == ("First", 1, '"1"')
    assert (await create(door, noun)).number == 2
    assert await ask(door, noun, "Get", name=made.name) == made
    changed = await update(door, noun, new_message(noun, name=made.name, **{title: "New"}))
    assert (getattr(changed, title), changed.number, changed.etag) == ("New", 1, '"2"')
    assert changed.update_time.ToNanoseconds() > changed.create_time.ToNanoseconds()
    stale = new_message(noun, name=made.name, etag=made.etag)
    assert (await refused(update(door, noun, stale))).code is StatusCode.ABORTED
    late = ask(door, noun, "Delete", name=made.name, etag=made.etag)
    assert (await refused(late)).code is StatusCode.ABORTED
    await ask(door, noun, "Delete", name=made.name)
    gone = await refused(ask(door, noun, "Get", name=made.name))
    assert gone.resource == (f"stagedoor.dev/{noun.name}", made.name)


@EACH
async def test_a_request_is_done_once_or_not_at_all(door: Door, noun: Noun) -> None:
    given = {noun.snake: new_message(noun), "request_id": "k"}
    tried = await ask(door, noun, "Create", **{noun.snake: new_message(noun)}, validate_only=True)
    assert (await ask(door, noun, "List")).total_size == 0
    first = await ask(door, noun, "Create", **given)
    assert await ask(door, noun, "Create", **given) == first != tried
    other = {noun.snake: new_message(noun, **{noun.title[0]: "y"}), "request_id": "k"}
    assert (await refused(ask(door, noun, "Create", **other))).reason == "REQUEST_ID_REUSED"
    # What was given again needs no number, what was only tried has used one up.
    assert (await create(door, noun)).number == first.number + 1


@EACH
async def test_wrong_fields_are_named(door: Door, noun: Noun) -> None:
    title = noun.title[0]
    wrong = {"": "REQUIRED", " ": "INVALID", "a\nb": "INVALID", "x" * 256: "TOO_LONG"}
    for value, reason in wrong.items():
        answer = await refused(create(door, noun, **{title: value}))
        assert answer.fields == {f"{noun.snake}.{title}": reason}
    if noun.has_support_number:
        answer = await refused(create(door, noun, support_number="x" * 65))
        assert answer.fields == {f"{noun.snake}.support_number": "TOO_LONG"}
        made = await create(door, noun, support_number=" 123 ")
        assert made.support_number == "123"
        assert not (await update(door, noun, made_of(noun, made), "support_number")).support_number


def made_of(noun: Noun, made: Any) -> Any:
    return new_message(noun, name=made.name)


async def test_a_place_in_a_collection_is_kept_as_given(door: Door) -> None:
    noun = BY_TYPE["tracks"]
    made = await create(door, noun, index=" 01 ", path="disc 1/01 A song.wav")
    assert (made.index, made.path) == (" 01 ", "disc 1/01 A song.wav")
    answer = await refused(create(door, noun, index="x" * 65, path="x" * 513))
    assert answer.fields == {"track.index": "TOO_LONG", "track.path": "TOO_LONG"}


@EACH
async def test_lists_have_pages_orders_and_filters(door: Door, noun: Noun) -> None:
    made = [await create(door, noun) for _ in range(3)]
    await update(door, noun, new_message(noun, name=made[0].name, **{noun.title[0]: "New"}))
    in_order = [item.name for item in made]
    assert await names(door, noun) == in_order
    assert await names(door, noun, order_by="create_time desc") == in_order[::-1]
    assert await names(door, noun, order_by="update_time") == [*in_order[1:], in_order[0]]
    first = await ask(door, noun, "List", page_size=2)
    assert first.total_size == 3
    token = first.next_page_token
    assert await names(door, noun, page_size=2, page_token=token) == in_order[2:]
    assert await names(door, noun, filter="number = 2 OR number = 9") == in_order[1:2]
    assert await names(door, noun, filter=f'name = "{in_order[2]}"') == in_order[2:]
    for wrong in ("number = x", "number = 9999999999999999999", "title = x", "name = x"):
        answer = await refused(ask(door, noun, "List", filter=wrong))
        assert answer.fields == {"filter": "INVALID"}
    other = ask(door, noun, "List", filter="number = 2", page_token=token)
    assert (await refused(other)).fields == {"page_token": "INVALID"}


@EACH_LINK
async def test_a_reference_keeps_what_it_leads_to(
    door: Door, noun: Noun, name: str, to: str
) -> None:
    one, other = [(await create(door, BY_TYPE[to])).name for _ in range(2)]
    linked, free = await create(door, noun, **{name: one}), await create(door, noun)
    assert (getattr(linked, name), getattr(free, name)) == (one, "")
    assert await names(door, noun, filter=f'{name} = "{one}"') == [linked.name]
    answer = await refused(ask(door, BY_TYPE[to], "Delete", name=one))
    assert (answer.code, answer.reason) == (StatusCode.FAILED_PRECONDITION, "IN_USE")
    moved = await update(door, noun, new_message(noun, name=linked.name, **{name: other}), name)
    assert getattr(moved, name) == other
    await ask(door, BY_TYPE[to], "Delete", name=one)
    cleared = await update(door, noun, new_message(noun, name=linked.name), name)
    assert getattr(cleared, name) == ""
    await ask(door, BY_TYPE[to], "Delete", name=other)


@EACH_LINK
async def test_a_reference_leads_to_something(
    door: Door, core: Core, noun: Noun, name: str, to: str
) -> None:
    items = core.use_cases.catalogue[BY_TYPE[to].collection]
    theirs = await items.create(a_principal("other"), {BY_TYPE[to].title[0]: "Theirs"})
    made = await create(door, noun)
    for missing in (f"{to}/{uuid7()}", f"{to}/{theirs.id}"):
        wanted = new_message(noun, name=made.name, **{name: missing})
        for call in (create(door, noun, **{name: missing}), update(door, noun, wanted, name)):
            answer = await refused(call)
            assert (answer.code, answer.reason) == (StatusCode.NOT_FOUND, "RELATED_NOT_FOUND")
            assert answer.fields == {f"{noun.snake}.{name}": "NOT_FOUND"}
            assert answer.resource == (f"stagedoor.dev/{BY_TYPE[to].name}", missing)
    answer = await refused(create(door, noun, **{name: f"importTasks/{uuid7()}"}))
    assert answer.fields == {f"{noun.snake}.{name}": "INVALID"}


@EACH
async def test_masters_are_imported_for_some_of_them(door: Door, core: Core, noun: Noun) -> None:
    one = (await one_of_each(core, a_principal()))[noun.type]
    target = f"{noun.collection}/{one}"
    task = await core.use_cases.import_tasks.create(
        a_principal(), TaskFields(source_uri="https://cdn.example.com/m.wav", master_type="cd")
    )
    change = ImportTask(name=f"importTasks/{task.id}", target=target)
    linking = door.tasks.UpdateImportTask(
        UpdateImportTaskRequest(import_task=change), metadata=door.admin
    )
    if noun.type not in TARGETS:
        assert (await refused(linking)).fields == {"import_task.target": "INVALID"}
        fields = TaskFields(target=Target(noun.collection, one))
        with pytest.raises(RelatedNotFound):
            await core.use_cases.import_tasks.update(a_principal(), task.id, fields)
        return
    assert (await linking).target == target
    got = await door.tasks.GetImportTask(
        GetImportTaskRequest(name=f"importTasks/{task.id}"), metadata=door.admin
    )
    assert (got.target, got.number) == (target, 1)
    for wanted in (f'target = "{target}"', "number = 1"):
        found = await door.tasks.ListImportTasks(
            ListImportTasksRequest(filter=wanted), metadata=door.admin
        )
        assert (found.total_size, found.import_tasks[0].target) == (1, target)
    answer = await refused(ask(door, noun, "Delete", name=target))
    assert (answer.code, answer.reason) == (StatusCode.FAILED_PRECONDITION, "IN_USE")

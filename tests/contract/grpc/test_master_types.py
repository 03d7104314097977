"""Master types, delivery profiles and stereo durations over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.api.domain.task import Target
from stagedoor.v1.import_task_service_pb2 import (
    BatchCreateImportTasksRequest,
    CreateImportTaskRequest,
    ImportTask,
    ListImportTasksRequest,
    UpdateImportTaskRequest,
)
from stagedoor.v1.track_service_pb2 import (
    CreateTrackRequest,
    GetTrackRequest,
    Track,
    UpdateTrackRequest,
)
from tests.support.core import a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.core import Core
    from tests.support.door import Door

URL = "https://cdn.example.com/master.wav"
ISRC = "USRC12345678"
CD, ATMOS = ImportTask.MASTER_TYPE_CD, ImportTask.MASTER_TYPE_DOLBY_ATMOS
TYPES = [number for number in ImportTask.MasterType.values() if number]


async def create(door: Door, **fields: object) -> ImportTask:
    task = ImportTask(source_uri=URL, **fields)  # type: ignore[arg-type] # any field
    request = CreateImportTaskRequest(import_task=task)
    return await door.tasks.CreateImportTask(request, metadata=door.admin)


async def update(door: Door, task: ImportTask, *paths: str) -> ImportTask:
    request = UpdateImportTaskRequest(import_task=task, update_mask=FieldMask(paths=paths))
    return await door.tasks.UpdateImportTask(request, metadata=door.admin)


@pytest.mark.parametrize("master_type", TYPES)
async def test_every_master_type_is_taken_with_a_source_alone(door: Door, master_type: int) -> None:
    assert (await create(door, master_type=master_type)).master_type == master_type


async def test_there_is_no_other_master_type(door: Door) -> None:
    answer = await refused(create(door, master_type=99))
    assert answer.fields == {"import_task.master_type": "INVALID"}


async def test_a_batch_may_mix_them(door: Door) -> None:
    requests = [
        CreateImportTaskRequest(import_task=ImportTask(source_uri=URL, master_type=each))
        for each in (CD, ATMOS)
    ]
    answer = await door.tasks.BatchCreateImportTasks(
        BatchCreateImportTasksRequest(requests=requests), metadata=door.admin
    )
    assert [task.master_type for task in answer.import_tasks] == [CD, ATMOS]


@pytest.mark.parametrize("paths", [(), ("*",), ("master_type",)])
async def test_it_may_be_sent_again_but_not_changed(door: Door, paths: tuple[str, ...]) -> None:
    task = await create(door, master_type=CD)
    same = ImportTask(name=task.name, source_uri=URL, master_type=CD)
    assert (await update(door, same, *paths)).master_type == CD
    other = ImportTask(name=task.name, source_uri=URL, master_type=ATMOS)
    answer = await refused(update(door, other, *paths))
    assert answer.fields == {"import_task.master_type": "INVALID"}


async def test_only_atmos_masters_have_their_isrc_alone(door: Door, core: Core) -> None:
    await core.complete(await core.task(ISRC))
    assert (await create(door, master_type=CD, isrc=ISRC)).isrc == ISRC
    free = await create(door, master_type=CD)
    changed = await update(door, ImportTask(name=free.name, isrc=ISRC))
    assert changed.isrc == ISRC
    assert (await refused(create(door, isrc=ISRC))).reason == "ISRC_TAKEN"


async def test_a_profile_is_chosen_changed_and_taken_back(door: Door) -> None:
    task = await create(door, delivery_profile="apple-music")
    assert task.delivery_profile == "apple-music"
    changed = await update(door, ImportTask(name=task.name, delivery_profile="atmos"))
    assert (changed.delivery_profile, changed.generation) == ("atmos", 1)
    cleared = await update(door, ImportTask(name=task.name), "delivery_profile")
    assert cleared.delivery_profile == ""


async def test_an_unknown_profile_is_refused(door: Door) -> None:
    answer = await refused(create(door, delivery_profile="nope"))
    assert (answer.code, answer.fields) == (
        StatusCode.INVALID_ARGUMENT,
        {"import_task.delivery_profile": "INVALID"},
    )


@pytest.mark.parametrize(
    "length",
    [Duration(seconds=215, nanos=40_000_000), Duration(seconds=86_400)],
    ids=["song", "day"],
)
async def test_a_track_knows_how_long_it_is(door: Door, length: Duration) -> None:
    new = CreateTrackRequest(track=Track(title="Song", stereo_duration=length))
    track = await door.tracks.CreateTrack(new, metadata=door.admin)
    assert track.stereo_duration == length
    kept = await door.tracks.GetTrack(GetTrackRequest(name=track.name), metadata=door.admin)
    assert kept == track
    mask = FieldMask(paths=["stereo_duration"])
    request = UpdateTrackRequest(track=Track(name=track.name), update_mask=mask)
    cleared = await door.tracks.UpdateTrack(request, metadata=door.admin)
    assert not cleared.HasField("stereo_duration")


@pytest.mark.parametrize(
    "length",
    [
        {},
        {"seconds": -1},
        {"nanos": 1},
        {"seconds": 86_400, "nanos": 1_000},
        {"seconds": 86_401},
        {"seconds": 2**62},
    ],
    ids=str,
)
async def test_a_length_is_more_than_nothing(door: Door, length: Mapping[str, int]) -> None:
    track = Track(title="Song", stereo_duration=Duration(**length))
    call = door.tracks.CreateTrack(CreateTrackRequest(track=track), metadata=door.admin)
    assert (await refused(call)).fields == {"track.stereo_duration": "INVALID"}


async def test_a_precision_is_that_of_the_type(door: Door) -> None:
    made = await create(door, master_type=CD, precision=16)
    assert made.precision == 16
    assert (await create(door, master_type=CD)).precision == 0
    assert (await update(door, ImportTask(name=made.name), "precision")).precision == 0
    again = await update(door, ImportTask(name=made.name, precision=16), "precision")
    assert (again.precision, again.generation) == (16, 1)
    art = ImportTask.MASTER_TYPE_APPLE_MOTION_ART_MOBILE
    for master_type, wrong in ((CD, 24), (ATMOS, 16), (art, 16), (CD, -1)):
        answer = await refused(create(door, master_type=master_type, precision=wrong))
        assert answer.fields == {"import_task.precision": "INVALID"}


async def test_lists_by_product_and_distributor(door: Door, core: Core) -> None:
    catalogue, who = core.use_cases.catalogue, a_principal()
    distributor = await catalogue["distributors"].create(who, {"display_name": "D"})
    of = {"title": "P", "distributor": Target("distributors", distributor.id)}
    product = await catalogue["products"].create(who, of)
    task = await create(door, master_type=CD, target=f"products/{product.id}")
    await create(door, master_type=CD)
    for filter_ in (
        f"product = products/{product.id}",
        f"distributor:distributors/{distributor.id}",
    ):
        request = ListImportTasksRequest(filter=filter_)
        page = await door.tasks.ListImportTasks(request, metadata=door.admin)
        assert ([each.name for each in page.import_tasks], page.total_size) == ([task.name], 1)
    wrong = ListImportTasksRequest(filter=f"product = distributors/{distributor.id}")
    refusal = await refused(door.tasks.ListImportTasks(wrong, metadata=door.admin))
    assert refusal.code is StatusCode.INVALID_ARGUMENT

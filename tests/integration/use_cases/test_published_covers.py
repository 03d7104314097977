"""Which cover goes into the files that are made of a master."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from uuid_utils.compat import uuid7

from services.api.domain import covers
from services.api.domain.lifecycle import Stage
from services.api.domain.nouns import PRODUCTS, TRACKS
from services.api.domain.outcomes import GoPublish, Run
from services.api.domain.task import Master, Target
from services.api.use_cases.covers import Proven, place
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.items import Fields
from tests.support.core import MD5, a_principal
from tests.support.publishing import a_draft, a_job

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task
    from tests.support.core import Core

WHO = a_principal()


def picture(name: str, size: int = 1000) -> Master:
    return Master(blob_key=f"default/{name}/1/run", size_bytes=size, md5=MD5)


async def give_cover(
    core: Core, target: Target, name: str, media_type: str = "image/png", size: int = 1000
) -> None:
    proven = Proven(
        media_type=media_type, width=600, height=600, thumbnail=picture(f"{name}-thumbnail")
    )

    def unit(transaction: Transaction) -> None:
        place(transaction, "default", target, picture(name, size), proven)

    await core.use_cases.executor.write(unit)


async def cover_in(core: Core, task: Task) -> str:
    """The name of the cover that a publisher is given with a task's master."""
    job = await a_job(core)
    draft = await a_draft(core, job, task)
    await core.use_cases.publish_jobs.run(WHO, job.id)
    go = await core.use_cases.runs.claim(draft.id, Run(Stage.PUBLISH, 1, uuid7()))
    assert isinstance(go, GoPublish)
    return go.cover_key.removeprefix("default/").partition("/")[0]


async def a_track(core: Core) -> tuple[Task, Target, Target]:
    """A completed task for a track of a product, that track, and the product."""
    catalogue = core.use_cases.catalogue
    product = await catalogue[PRODUCTS.collection].create(WHO, Fields(title="An album"))
    of = Target(PRODUCTS.collection, product.id)
    track = await catalogue[TRACKS.collection].create(WHO, Fields(title="A song", product=of))
    target = Target(TRACKS.collection, track.id)
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav", target=target)
    task = await core.use_cases.import_tasks.create(WHO, fields)
    return await core.complete(task), target, of


async def test_that_of_the_track_else_that_of_its_product(core: Core) -> None:
    task, track, product = await a_track(core)
    assert await cover_in(core, task) == ""
    await give_cover(core, product, "album")
    assert await cover_in(core, task) == "album"
    await give_cover(core, track, "song")
    assert await cover_in(core, task) == "song"


async def test_a_master_for_nothing_has_none(core: Core) -> None:
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav")
    task = await core.use_cases.import_tasks.create(WHO, fields)
    assert await cover_in(core, await core.complete(task)) == ""


@pytest.mark.parametrize(
    ("media_type", "size", "name"),
    [
        ("image/jpeg", covers.MAX_EMBEDDED, "song"),
        ("image/jpeg", covers.MAX_EMBEDDED + 1, "song-thumbnail"),
        ("image/webp", 1000, "song-thumbnail"),
    ],
)
async def test_what_files_cannot_have_is_replaced_by_the_thumbnail(
    core: Core, media_type: str, size: int, name: str
) -> None:
    task, track, _ = await a_track(core)
    await give_cover(core, track, "song", media_type, size)
    assert await cover_in(core, task) == name

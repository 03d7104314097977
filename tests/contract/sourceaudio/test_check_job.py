"""What checkJob counts, letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Stage
from services.api.domain.queries import PublicationQuery
from services.api.domain.runs import Refused, error
from tests.support.core import a_principal
from tests.support.publishing import published

if TYPE_CHECKING:
    from services.api.domain.runs import Published
    from tests.contract.sourceaudio.conftest import Site

WHO = a_principal()


async def test_an_upload_is_counted_where_it_is(site: Site) -> None:
    job = await site.call("createJob")
    for number in range(3):
        await site.call("upload", url=f"https://cdn.example.com/{number}.wav", **job)

    async def check() -> dict[str, int]:
        answer: dict[str, int] = await site.call("checkJob", **job)
        return answer

    await site.call("publish", **job)
    assert await check() == {"q": 3}
    uploads = (await site.core.use_cases.publications.list(WHO, PublicationQuery())).items
    for each in uploads:
        await site.core.complete(await site.core.use_cases.import_tasks.get(WHO, each.task_id))
    runs = [await site.core.claim(each.id, Stage.PUBLISH) for each in uploads[:2]]
    assert await check() == {"q": 1, "i": 2}
    unreadable = Refused(problems=(error("master_unreadable", "No sound."),))
    outcomes: tuple[Published | Refused, ...] = (published(uploads[0], runs[0]), unreadable)
    for upload, run, outcome in zip(uploads, runs, outcomes, strict=False):
        assert await site.core.use_cases.runs.report(upload.id, run, outcome)
    assert await check() == {"q": 1, "d": 1, "e": 1}

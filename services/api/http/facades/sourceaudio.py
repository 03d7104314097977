"""Import and publish, as SourceAudio's clients know it, under /api/import.

Reads like the published document: create a job, upload to it, set formats, publish, check, list.
Beyond that document: ``download`` gives a link to a published file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

from services.api.domain.changes import UNSET, Unset
from services.api.domain.errors import NotFound
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.nouns import TRACKS
from services.api.domain.publishing import Start
from services.api.domain.queries import ItemQuery, PublicationQuery, PublishJobQuery, TaskQuery
from services.api.domain.task import Target
from services.api.http.facades.sourceaudio_uploads import Sources, name_of, source_of
from services.api.http.openapi.routes import routes
from services.api.http.plain.actions import Action, Call, make_plain_app
from services.api.http.plain.description import describe
from services.api.http.plain.dialect import Dialect
from services.api.http.plain.errors import PlainError
from services.api.http.plain.parameters import Kind, Parameter
from services.api.use_cases.items import Fields
from services.api.use_cases.publications import PublicationFields, read_formats
from services.api.use_cases.publish_jobs import JobFields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from aiohttp import web

    from services.api.domain.principal import Principal
    from services.api.domain.publishing import Publication, PublishJob
    from services.api.http.incoming import Incoming
    from services.api.use_cases.use_cases import UseCases

    Answer = Mapping[str, object]

T = TypeVar("T")

PREFIX: Final = "/api/import"
DIALECT: Final = Dialect(
    refusal=lambda detail, _: {"error": detail},
    refusal_schema={"error": {"type": "string"}},
    loose=True,
)
MAX_LISTED: Final = 1000

_LETTERS: Final = {
    "q": PublicationStatus.QUEUED,
    "d": PublicationStatus.PUBLISHED,
    "i": PublicationStatus.PUBLISHING,
    "e": PublicationStatus.PUBLISH_FAILED,
}
_WORDS: Final = {
    PublicationStatus.DRAFT: "uploaded",
    PublicationStatus.QUEUED: "queued",
    PublicationStatus.PUBLISHING: "publishing",
    PublicationStatus.PUBLISHED: "published",
    PublicationStatus.PUBLISH_FAILED: "failed",
}

_JOB = Parameter(name="job_id", about="The job; your site's default without one.", kind=Kind.NUMBER)
_THE_JOB = Parameter(name="job_id", about="The job.", kind=Kind.NUMBER, required=True)
_THE_UPLOAD = Parameter(name="upload_id", about="The upload.", kind=Kind.NUMBER, required=True)
_ONCOMPLETE = Parameter(
    name="oncomplete",
    about="An email or url that is told when this job is published. One per job.",
)


def make_facade(use_cases: UseCases, public_url: str | None, incoming: Incoming) -> web.Application:
    """The application to mount at PREFIX; files take places of ``incoming``."""
    actions = SourceAudio(use_cases, Sources(use_cases.receiving, incoming)).actions()
    app = make_plain_app(actions, use_cases.tokens.authenticate, public_url, DIALECT)
    url = (public_url or "").rstrip("/") + PREFIX
    document = partial(describe, actions, title="Import and publish", url=url, dialect=DIALECT)
    app.add_routes(routes(PREFIX, document))
    return app


@dataclass(frozen=True, slots=True)
class _Updated:
    """What an upload adds to: a track, or another ``upload`` and its track."""

    number: int
    target: Target | None
    upload: Publication | None = None


class SourceAudio:
    """The document's actions over the use cases."""

    def __init__(self, use_cases: UseCases, sources: Sources) -> None:
        """Serve these use cases, with masters from these sources."""
        self._cases = use_cases
        self._sources = sources

    def actions(self) -> tuple[Action, ...]:
        """All of them, with an answer of each."""
        return (
            Action(
                name="createJob",
                about="Create a job which you can upload to and publish separately.",
                parameters=(
                    Parameter(name="name", about="A name to give the job."),
                    Parameter(name="email", about="Whom to tell when the job completes."),
                ),
                run=self.create_job,
                answer={"job_id": 296204},
            ),
            Action(
                name="upload",
                about="Import one master, by its url or as a file; one after the other.",
                parameters=(
                    Parameter(name="url", about="Where the master is."),
                    Parameter(name="file", about="The master itself.", kind=Kind.FILE),
                    Parameter(name="formats", about="What to publish.", kind=Kind.WORDS),
                    Parameter(name="master_type", about="Which checks it goes through."),
                    Parameter(name="meta", about="Metadata by name.", kind=Kind.PAIRS),
                    Parameter(name="track_id", about="A track to add it to.", kind=Kind.NUMBER),
                    Parameter(
                        name="upload_id",
                        about="An upload to whose track to add it.",
                        kind=Kind.NUMBER,
                    ),
                    Parameter(name="immediate", about="Publish it at once.", kind=Kind.FLAG),
                    Parameter(
                        name="autopublish",
                        about="Publish the job ten minutes after its last upload with this flag,"
                        " or when it has 1000.",
                        kind=Kind.FLAG,
                    ),
                    _JOB,
                    _ONCOMPLETE,
                ),
                run=self.upload,
                answer={"upload_id": 51223, "status": "uploaded", "formats": ["mp3"]},
            ),
            Action(
                name="setFormats",
                about="Say what an upload is published as.",
                parameters=(
                    _THE_UPLOAD,
                    Parameter(name="formats", about="As mp3,aiff.", kind=Kind.WORDS, required=True),
                ),
                run=self.set_formats,
                answer={"result": "success", "track": {}, "added": ["mp3", "aiff"]},
            ),
            Action(
                name="publish",
                about="Publish everything that was uploaded to a job.",
                parameters=(_ONCOMPLETE, _JOB),
                run=self.publish,
                answer={"result": "success", "job_id": 1234, "queued": 12},
            ),
            Action(
                name="checkJob",
                about="How far a job is: q queued, d done, i in progress, e errored.",
                parameters=(_THE_JOB,),
                run=self.check_job,
                answer={"d": 1, "q": 1},
            ),
            Action(
                name="list",
                about="The tracks of a job, with their final ids, at most 1000.",
                parameters=(
                    _THE_JOB,
                    Parameter(name="offset", about="How many to leave out.", kind=Kind.NUMBER),
                ),
                run=self.list,
                answer={"job_id": 1234, "total": 0, "tracks": []},
            ),
            Action(
                name="download",
                about="A link to a published file.",
                parameters=(
                    _THE_UPLOAD,
                    Parameter(name="format", about="One of those published.", required=True),
                ),
                run=self.download,
                answer={"url": "https://…", "expires_at": "2026-01-01T00:00:00+00:00"},
            ),
        )

    async def create_job(self, call: Call) -> Answer:
        """A job's number."""
        fields = JobFields(display_name=call["name"], contact_email=call["email"])
        job = await self._cases.publish_jobs.create(call.who, fields)
        return {"job_id": job.number}

    async def upload(self, call: Call) -> Answer:
        """A new upload, or an update of a track or of another upload."""
        source = source_of(call["url"], call["file"])
        updated = await self._updated(call)
        job = await self._job(call, updated)
        fields = _publication(call, name_of(source), updated)
        read_formats(fields.formats)  # before a file comes in vain
        async with self._sources.taken(call.who, source) as new:
            task = replace(
                new,
                isrc=_isrc(call),
                master_type=call["master_type"],
                target=UNSET if updated is None else updated.target,
            )
            made = replace(fields, job=job.id, new_task=task)
            upload = await self._cases.publications.create(call.who, made)
        if call["oncomplete"] is not UNSET:
            told = JobFields(oncomplete=_target(call["oncomplete"]))
            await self._cases.publish_jobs.update(call.who, job.id, told)
        if updated is not None:
            return {"result": "uploaded", "update_to": updated.number, "update_id": upload.number}
        return _shown(upload) | {"sources": [name_of(source)]}

    async def set_formats(self, call: Call) -> Answer:
        """The upload with its formats."""
        upload = await self._found(call)
        fields = PublicationFields(formats=call["formats"])
        changed = await self._cases.publications.update(call.who, upload.id, fields)
        return {"result": "success", "track": _shown(changed), "added": list(changed.formats)}

    async def publish(self, call: Call) -> Answer:
        """How many are queued now."""
        job = await self._job(call)
        target = _target(call["oncomplete"])
        ran = await self._cases.publish_jobs.run(call.who, job.id, oncomplete=target)
        answer: dict[str, object] = {
            "result": "success",
            "job_id": ran.number,
            "queued": ran.counts[PublicationStatus.QUEUED],
        }
        if ran.oncomplete is not None:
            answer["oncomplete"] = ran.oncomplete.removeprefix("mailto:")
        return answer

    async def check_job(self, call: Call) -> Answer:
        """Counts by letter, without those that are zero."""
        job = await self._job(call)
        return {letter: n for letter, status in _LETTERS.items() if (n := job.counts[status])}

    async def list(self, call: Call) -> Answer:
        """The uploads of a job, each with its track and what was published."""
        job, offset = await self._job(call), call["offset"]
        skip = 0 if offset is UNSET else offset
        query = PublicationQuery(job_ids=frozenset({job.id}), skip=skip, limit=MAX_LISTED)
        page = await self._cases.publications.list(call.who, query)
        uploads = page.items
        tracks = await self._tracks_of(call.who, uploads)
        return {
            "job_id": job.number,
            "total": page.total,
            "tracks": [
                {
                    "track_id": tracks.get(each.id),
                    "upload_id": each.number,
                    "status": _WORDS[each.status],
                    "formats": [rendition.format for rendition in each.renditions],
                    "meta": dict(each.metadata),
                }
                for each in uploads
            ],
        }

    async def download(self, call: Call) -> Answer:
        """A link that needs no token."""
        upload = await self._found(call)
        wanted = [each for each in upload.renditions if each.format == call["format"]]
        if not wanted:
            raise NotFound("renditions", call["format"])
        link = await self._cases.links.create_for_rendition(call.who, wanted[0].id, url=call.origin)
        return {"url": link.url, "expires_at": link.expires_at.isoformat()}

    async def _job(self, call: Call, updated: _Updated | None = None) -> PublishJob:
        """The job of a call; without a number that of the upload it adds to, or the default one.

        Raises NotFound.
        """
        number, jobs = call["job_id"], self._cases.publish_jobs
        if number is UNSET and updated is not None and updated.upload is not None:
            return await jobs.get(call.who, updated.upload.job_id)
        if number is UNSET:
            return await jobs.default(call.who)
        page = await jobs.list(call.who, PublishJobQuery(numbers=frozenset({number}), limit=1))
        return _only(page.items, "publishJobs", number)

    async def _found(self, call: Call) -> Publication:
        number = call["upload_id"]
        query = PublicationQuery(numbers=frozenset({number}), limit=1)
        page = await self._cases.publications.list(call.who, query)
        return _only(page.items, "publications", number)

    async def _updated(self, call: Call) -> _Updated | None:
        """What a call adds to. Raises NotFound, and PlainError for two things at once."""
        track, upload = call["track_id"], call["upload_id"]
        if track is UNSET and upload is UNSET:
            return None
        if track is UNSET:
            found = await self._found(call)
            task = await self._cases.import_tasks.get(call.who, found.task_id)
            return _Updated(found.number, task.target, found)
        if upload is not UNSET:
            raise PlainError("Only one of upload_id and track_id can be given.", 422)
        query = ItemQuery(numbers=frozenset({track}), limit=1)
        items = (await self._cases.tracks.list(call.who, query)).items
        return _Updated(track, Target(TRACKS.collection, _only(items, "tracks", track).id))

    async def _tracks_of(
        self, who: Principal, uploads: tuple[Publication, ...]
    ) -> dict[UUID, int | None]:
        """The numbers of the tracks that uploads are for, by upload."""
        task_ids = frozenset(each.task_id for each in uploads)
        tasks = await self._cases.import_tasks.list(who, TaskQuery(ids=task_ids, limit=MAX_LISTED))
        targets = {each.id: each.target.id for each in tasks.items if each.target}
        wanted = ItemQuery(ids=frozenset(targets.values()), limit=MAX_LISTED)
        tracks = await self._cases.tracks.list(who, wanted)
        numbers = {each.id: each.number for each in tracks.items}
        return {
            each.id: numbers.get(target) if (target := targets.get(each.task_id)) else None
            for each in uploads
        }


def _only(items: tuple[T, ...], collection: str, number: int) -> T:
    if not items:
        raise NotFound(collection, number)
    return items[0]


def _publication(call: Call, file_name: str, updated: _Updated | None) -> PublicationFields:
    """What is published of a master, for a track of its own unless it adds to one."""
    metadata = _metadata(call, file_name)
    track = Fields(title=metadata["Title"], isrc=_isrc(call))
    formats = call["formats"]
    if updated is not None and updated.upload is not None and formats is UNSET:
        formats = updated.upload.formats
    return PublicationFields(
        new_track=None if updated is not None and updated.target is not None else track,
        formats=formats,
        metadata=metadata,
        file_name=file_name,
        start=_start(call),
    )


def _start(call: Call) -> Start:
    if call["immediate"] is True:
        return Start.AT_ONCE
    return Start.WHEN_QUIET if call["autopublish"] is True else Start.WITH_JOB


def _given(call: Call) -> dict[str, str]:
    given: dict[str, str] = {} if isinstance(call["meta"], Unset) else call["meta"]
    return given


def _isrc(call: Call) -> str | Unset:
    return _given(call).get("ISRC") or UNSET


def _metadata(call: Call, file_name: str) -> dict[str, str]:
    """What the client says of a master, with the names that the document always shows."""
    given = _given(call)
    title = given.get("Title") or PurePosixPath(file_name).stem
    return {"Title": title, "Filename": file_name} | {k: v for k, v in given.items() if v}


def _shown(upload: Publication) -> dict[str, object]:
    """An upload as the document shows it: of its sources the kinds of file."""
    filename = upload.metadata.get("Filename", "")
    return {
        "upload_id": upload.number,
        "status": _WORDS[upload.status],
        "formats": list(upload.formats),
        "sources": [PurePosixPath(filename).suffix.lstrip(".").lower()],
        "meta": dict(upload.metadata),
    }


def _target(oncomplete: str | Unset) -> str | Unset:
    """A url as it is, an address as the core writes it."""
    if isinstance(oncomplete, Unset) or "://" in oncomplete or oncomplete.startswith("mailto:"):
        return oncomplete
    return f"mailto:{oncomplete}"

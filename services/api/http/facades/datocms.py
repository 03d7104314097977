"""Upload tracks, as clients of DatoCMS know them.

Reads like the published document: expect a file, keep it as an upload, give it tracks, and poll the
result of the job that every write answers with.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web

from services.api.domain.changes import UNSET
from services.api.domain.errors import NotFound, StateConflict
from services.api.domain.queries import UploadQuery, UploadTrackQuery
from services.api.domain.uploads import COLLECTION, UploadState
from services.api.http.authentication import PRINCIPAL
from services.api.http.facades import datocms_documents as documents
from services.api.http.facades.datocms_description import describe
from services.api.http.facades.datocms_errors import INVALID, error_boundary, invalid_field
from services.api.http.facades.datocms_requests import (
    MAX_LIMIT,
    addressed,
    attributes_of,
    number_in,
    options_of,
    page_of,
    surrounded,
    teller,
    upload_in,
)
from services.api.http.openapi.routes import routes
from services.api.http.traces import traced
from services.api.use_cases.jobs import Write
from services.api.use_cases.upload_fields import UploadFields
from services.api.use_cases.upload_tracks import TrackFields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from uuid import UUID

    from services.api.domain.upload_tracks import UploadTrack
    from services.api.domain.uploads import Upload
    from services.api.limits import RateLimiter
    from services.api.use_cases.jobs import Subject
    from services.api.use_cases.use_cases import UseCases

PREFIX: Final = "/datocms"
_TRACK: Final = "upload_track"
_SOURCE: Final = "url_or_upload_request_id"
_ATTRIBUTES: Final = {
    "type": "type",
    "language_code": "language_code",
    "name": "display_name",
    "closed_captions": "closed_captions",
}
"""The core's names of a track's attributes."""


def make_facade(
    use_cases: UseCases, public_url: str | None, limiter: RateLimiter | None = None
) -> web.Application:
    """The application to mount at PREFIX; without a ``limiter`` nothing is told of limits."""
    authenticate = use_cases.tokens.authenticate
    app = web.Application(middlewares=[traced, error_boundary, surrounded(authenticate, limiter)])
    app.on_response_prepare.append(teller(limiter))
    dato = DatoCms(use_cases, public_url)
    one, tracks = "/uploads/{id}", "/uploads/{id}/tracks"
    app.add_routes(
        [
            web.post("/upload-requests", dato.create_request),
            web.get("/uploads", dato.list_uploads, allow_head=False),
            web.post("/uploads", dato.create_upload),
            web.get(one, dato.get_upload, allow_head=False),
            web.delete(one, dato.delete_upload),
            web.get(tracks, dato.list_tracks, allow_head=False),
            web.post(tracks, dato.create_track),
            web.get(f"{tracks}/{{track}}", dato.get_track, allow_head=False),
            web.put(f"{tracks}/{{track}}", dato.update_track),
            web.delete(f"{tracks}/{{track}}", dato.delete_track),
            web.get("/job-results/{id}", dato.get_result, allow_head=False),
        ]
    )
    app.add_routes(routes(PREFIX, partial(describe, (public_url or "").rstrip("/") + PREFIX)))
    return app


class DatoCms:
    """The document's calls over the use cases."""

    def __init__(self, use_cases: UseCases, public_url: str | None) -> None:
        """Serve these use cases."""
        self._uploads = use_cases.uploads
        self._tracks = use_cases.upload_tracks
        self._jobs = use_cases.jobs
        self._public_url = public_url

    async def create_request(self, request: web.Request) -> web.Response:
        """Expect a file: the one write that answers at once, as its answer is what is wanted."""
        given = await attributes_of(request, "upload_request", ("filename",))
        fields = UploadFields(file_name=given.get("filename", UNSET))
        upload = await self._uploads.create(request[PRINCIPAL], fields, options=options_of(request))
        origin = self._public_url or f"{request.scheme}://{request.host}"
        # Through us, never straight into a store: who has put it may use it at once.
        return _shown(documents.upload_request(upload, self._uploads.link(upload, origin)))

    async def create_upload(self, request: web.Request) -> web.Response:
        """Keep the file of an upload request as an upload."""
        given = await attributes_of(request, "upload", ("path",))
        id_ = _requested("path", given.get("path"))
        write = Write(
            action="keep", unit=self._uploads.keeping(request[PRINCIPAL], id_), asked=(id_,)
        )
        try:
            return await self._start(request, write)
        except (NotFound, StateConflict):
            raise invalid_field("path", INVALID, "No file was uploaded there.") from None

    async def list_uploads(self, request: web.Request) -> web.Response:
        """A page of the uploads."""
        query = UploadQuery(states=frozenset({UploadState.KEPT}), **page_of(request))
        page = await self._uploads.list(request[PRINCIPAL], query)
        return _listed([documents.asset(each) for each in page.items], page.total)

    async def get_upload(self, request: web.Request) -> web.Response:
        """One upload."""
        return _shown(documents.asset(await self._asset(request)))

    async def delete_upload(self, request: web.Request) -> web.Response:
        """Delete an upload with its tracks."""
        upload = await self._asset(request)
        unit = self._uploads.deleting(request[PRINCIPAL], upload.id, force=True)
        return await self._start(request, Write(action="delete", unit=unit, asked=(upload.id,)))

    async def list_tracks(self, request: web.Request) -> web.Response:
        """The tracks of an upload."""
        upload = await self._asset(request)
        piece = page_of(request, MAX_LIMIT)
        query = UploadTrackQuery(upload_ids=frozenset({upload.id}), **piece)
        page = await self._tracks.list(request[PRINCIPAL], query)
        return _listed([documents.track(each) for each in page.items], page.total)

    async def create_track(self, request: web.Request) -> web.Response:
        """Give an upload a track."""
        upload_id = addressed(request)
        fields = _fields(await attributes_of(request, _TRACK, (*_ATTRIBUTES, _SOURCE)))
        unit = self._tracks.creating(request[PRINCIPAL], upload_id, fields)
        asked = (upload_id, fields)
        write = Write(action="create", unit=unit, asked=asked, waits=True)
        return await self._start(request, write)

    async def get_track(self, request: web.Request) -> web.Response:
        """One track."""
        return _shown(documents.track(await self._track(request)))

    async def update_track(self, request: web.Request) -> web.Response:
        """Change a track: what is not said stays as it is."""
        track = await self._track(request)
        id_ = request.match_info["track"]
        fields = _fields(await attributes_of(request, _TRACK, (*_ATTRIBUTES, _SOURCE), id_))
        unit = self._tracks.updating(request[PRINCIPAL], track.id, fields)
        asked = (track.id, fields)
        write = Write(action="update", unit=unit, asked=asked, waits=fields.has_source)
        return await self._start(request, write)

    async def delete_track(self, request: web.Request) -> web.Response:
        """Delete a track."""
        track = await self._track(request)
        unit = self._tracks.deleting(request[PRINCIPAL], track.id)
        return await self._start(request, Write(action="delete", unit=unit, asked=(track.id,)))

    async def get_result(self, request: web.Request) -> web.Response:
        """How a job ended; 404 while it is under way."""
        job = await self._jobs.numbered(request[PRINCIPAL], number_in(request))
        if job.ended_at is None:
            raise NotFound("jobs", job.number)
        return _shown(documents.job_result(job))

    async def _start(self, request: web.Request, write: Write[Subject]) -> web.Response:
        job = await self._jobs.run(request[PRINCIPAL], write, options=options_of(request))
        return _shown(documents.job(job), HTTPStatus.ACCEPTED)

    async def _asset(self, request: web.Request) -> Upload:
        """The upload in the URL. Raises NotFound, also for one that is not kept."""
        upload = await self._uploads.get(request[PRINCIPAL], addressed(request))
        if upload.state is not UploadState.KEPT:
            raise NotFound(COLLECTION, upload.id)
        return upload

    async def _track(self, request: web.Request) -> UploadTrack:
        """The track in the URL. Raises NotFound, also for one of another upload."""
        upload_id, id_ = addressed(request), addressed(request, "track")
        track = await self._tracks.get(request[PRINCIPAL], id_)
        if track.upload_id != upload_id:
            raise NotFound("uploadTracks", id_)
        return track


def _fields(given: Mapping[str, Any]) -> TrackFields:
    values = {core: given[name] for name, core in _ATTRIBUTES.items() if name in given}
    source = given.get(_SOURCE)
    if source is None:
        return TrackFields(**values)
    if isinstance(source, str) and "://" in source:
        return TrackFields(**values, source_uri=source)
    return TrackFields(**values, source_upload=_requested(_SOURCE, source))


def _requested(field: str, value: object) -> UUID:
    """The upload of an upload request. Raises ApiError."""
    if value is None:
        raise invalid_field(field, "VALIDATION_REQUIRED", f"A value for {field} is required.")
    if isinstance(value, str) and (id_ := upload_in(value)):
        return id_
    raise invalid_field(field, INVALID, "This is not the id of an upload request.")


def _shown(resource: Mapping[str, object], status: int = HTTPStatus.OK) -> web.Response:
    return web.json_response({"data": resource}, status=status)


def _listed(resources: list[dict[str, object]], total: int) -> web.Response:
    return web.json_response({"data": resources, "meta": {"total_count": total}})

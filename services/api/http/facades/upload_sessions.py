"""Upload sessions, as clients of audio delivery networks know them, under /v1.

Reads like the published document: begin a session, look at it, add tracks to it.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from services.api.domain.changes import UNSET
from services.api.http.openapi.routes import routes
from services.api.http.plain.actions import Action, Call, make_plain_app
from services.api.http.plain.description import describe
from services.api.http.plain.dialect import Dialect
from services.api.http.plain.parameters import Kind, Parameter
from services.api.use_cases.session_fields import SessionFields, TrackFields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aiohttp import web

    from services.api.domain.uploads import Upload
    from services.api.use_cases.use_cases import UseCases

    Answer = Mapping[str, object]

PREFIX: Final = "/v1"
DIALECT: Final = Dialect(
    refusal=lambda detail, id_: {"ok": False, "message": detail, "api_request_id": str(id_)},
    refusal_schema={
        "ok": {"type": "boolean", "const": False},
        "message": {"type": "string"},
        "api_request_id": {"type": "string", "format": "uuid"},
    },
    invalid=HTTPStatus.BAD_REQUEST,
)

_ID: Final = "123e4567-e89b-12d3-a456-426614174000"
_TIME: Final = "2026-01-01T00:00:00.000Z"
_MORE: Final = {"creator_id": _ID, "organization_index": "1", "metadata": {"batch_name": "A"}}
_SESSION = Parameter(
    name="upload_session_id",
    about="The ID of the upload session.",
    kind=Kind.ID,
    required=True,
    in_path=True,
)
_INDEX = Parameter(name="organization_index", about="Organization index.")
_METADATA = Parameter(name="metadata", about="Additional metadata.", kind=Kind.OBJECT)


def make_facade(use_cases: UseCases, public_url: str | None) -> web.Application:
    """The application to mount at PREFIX."""
    actions = UploadSessions(use_cases).actions()
    app = make_plain_app(actions, use_cases.tokens.authenticate, public_url, DIALECT)
    url = (public_url or "").rstrip("/") + PREFIX
    document = partial(describe, actions, title="Upload sessions", url=url, dialect=DIALECT)
    app.add_routes(routes(PREFIX, document))
    return app


class UploadSessions:
    """The document's actions over the use cases."""

    def __init__(self, use_cases: UseCases) -> None:
        """Serve these use cases."""
        self._sessions = use_cases.upload_sessions
        self._uploads = use_cases.uploads

    def actions(self) -> tuple[Action, ...]:
        """All of them, with an answer of each."""
        session: Answer = {"id": _ID, "collection_id": _ID, "expires_at": _TIME}
        put = {"method": "PUT", "upload_url": "https://…", "ttl": 3600, "expires_at": _TIME}
        return (
            Action(
                name="upload_session",
                about="Creates a new upload session for batch uploading tracks.",
                methods=("POST",),
                parameters=(
                    Parameter(
                        name="collection_id",
                        about="ID of the collection.",
                        kind=Kind.ID,
                        required=True,
                    ),
                    Parameter(name="creator_id", about="ID of the creator.", kind=Kind.ID),
                    _INDEX,
                    _METADATA,
                    Parameter(
                        name="expires_in",
                        about="How long it lasts, in seconds: 60 to 86400, else 3600.",
                        kind=Kind.NUMBER,
                    ),
                ),
                run=self.create,
                answer={
                    "ok": True,
                    "upload_session_id": _ID,
                    "upload_session": session,
                    "expires_at": _TIME,
                },
            ),
            Action(
                name="upload_session/{upload_session_id}",
                about="Retrieves details about an upload session.",
                methods=("GET",),
                parameters=(_SESSION,),
                run=self.get,
                answer={
                    "ok": True,
                    "upload_session_id": _ID,
                    "upload_session": {**session, **_MORE},
                },
            ),
            Action(
                name="upload/{upload_session_id}/track",
                about="Creates a new track within an upload session and generates upload URLs.",
                methods=("POST",),
                parameters=(
                    _SESSION,
                    Parameter(
                        name="file_name", about="Original filename of the track.", required=True
                    ),
                    _INDEX,
                    _METADATA,
                ),
                run=self.add_track,
                answer={
                    "ok": True,
                    "api_request_id": _ID,
                    "upload_session_id": _ID,
                    "track_id": _ID,
                    "track": {"id": _ID, "index": "1", "path": "1/track-1.mp3"},
                    "track_upload": put,
                    "track_cover_upload": put | {"method": "POST"},
                },
            ),
        )

    async def create(self, call: Call) -> Answer:
        """A new session."""
        creator = call["creator_id"]
        fields = SessionFields(
            collection=call["collection_id"],
            creator=None if creator is UNSET else creator,
            organization_index=call["organization_index"],
            metadata=call["metadata"],
            ttl=call["expires_in"],
        )
        session = await self._sessions.create(call.who, fields, options=call.options)
        end = _time(session.expires_at)
        return {
            "ok": True,
            "upload_session_id": str(session.id),
            "upload_session": {
                "id": str(session.id),
                "collection_id": str(session.collection_id),
                "expires_at": end,
            },
            "expires_at": end,
        }

    async def get(self, call: Call) -> Answer:
        """A session, with all that is kept of it."""
        session = await self._sessions.get(call.who, call["upload_session_id"])
        creator = session.creator_id
        return {
            "ok": True,
            "upload_session_id": str(session.id),
            "upload_session": {
                "id": str(session.id),
                "creator_id": str(creator) if creator else None,
                "collection_id": str(session.collection_id),
                "organization_index": session.organization_index,
                "metadata": dict(session.metadata or {}),
                "expires_at": _time(session.expires_at),
            },
        }

    async def add_track(self, call: Call) -> Answer:
        """A new track, and where its files go; its cover always to us, as no store takes a POST."""
        id_ = call["upload_session_id"]
        fields = TrackFields(
            file_name=call["file_name"],
            organization_index=call["organization_index"],
            metadata=call["metadata"],
        )
        added = await self._sessions.add_track(call.who, id_, fields, options=call.options)
        track, url = added.track, await self._uploads.uri(added.master, call.origin)
        return {
            "ok": True,
            "api_request_id": str(call.id),
            "upload_session_id": str(id_),
            "track_id": str(track.id),
            "track": {"id": str(track.id), "index": track.index, "path": track.path},
            "track_upload": _put("PUT", url, added.master),
            "track_cover_upload": _put(
                "POST", self._uploads.link(added.cover, call.origin), added.cover
            ),
        }


def _put(method: str, url: str | None, upload: Upload) -> Answer:
    return {
        "method": method,
        "upload_url": url,
        "ttl": int((upload.expires_at - upload.created_at).total_seconds()),
        "expires_at": _time(upload.expires_at),
    }


def _time(moment: datetime) -> str:
    """As its clients write moments themselves: in UTC, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

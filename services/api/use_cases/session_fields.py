"""What a client says of an upload session, and of a track that it adds to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.api.domain.changes import UNSET, Unset
from services.api.domain.nouns import MAX_ORGANIZATION_INDEX, MAX_TITLE
from services.api.domain.task import MASTER_TYPES
from services.api.domain.upload_sessions import DEFAULT_TTL, MAX_TTL, MIN_TTL, UploadSession
from services.api.domain.values import is_one_line, parse_isrc
from services.api.use_cases.fields import Reader
from services.api.use_cases.upload_fields import MAX_NAME, Ttl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

_TTL = Ttl(DEFAULT_TTL, MIN_TTL, MAX_TTL, "An upload session lasts")
_METADATA = "metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFields:
    """The values of a request as the client wrote them; the ``ttl`` is in seconds."""

    collection: UUID | None = None
    creator: UUID | None = None
    organization_index: object = UNSET
    metadata: object = UNSET
    ttl: object = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    file_name: object = UNSET
    organization_index: object = UNSET
    metadata: object = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrack:
    """A track to be added; title, ISRC and master type are those of its metadata, if there."""

    file_name: str
    organization_index: str | None
    metadata: Mapping[str, Any] | None
    title: str | None
    isrc: str | None
    master_type: str | None


def read_session(fields: SessionFields, id_: UUID, tenant: str, now: datetime) -> UploadSession:
    """The session that a client asks for now. Raises InvalidFields."""
    reader = Reader({"collection"}, creating=True)
    reader.is_missing("collection", fields.collection)
    index = _organization_index(reader, fields.organization_index)
    metadata = reader.metadata(_METADATA, fields.metadata)
    reader.finish()
    assert fields.collection is not None  # noqa: S101 - or the reader has refused it
    return UploadSession(
        id=id_,
        tenant=tenant,
        created_at=now,
        # In whole seconds: that is what links tell.
        expires_at=(now + _TTL.read(fields.ttl)).replace(microsecond=0),
        collection_id=fields.collection,
        creator_id=fields.creator,
        organization_index=index,
        metadata=None if isinstance(metadata, Unset) else metadata,
    )


def read_track(fields: TrackFields) -> NewTrack:
    """The track that a client wants to add. Raises InvalidFields."""
    reader = Reader({"file_name"}, creating=True)
    file_name = reader.line("file_name", fields.file_name, MAX_NAME)
    index = _organization_index(reader, fields.organization_index)
    metadata = reader.metadata(_METADATA, fields.metadata)
    said = {} if isinstance(metadata, Unset) or metadata is None else metadata
    title, isrc = _title(reader, said.get("title")), _isrc(reader, said.get("isrc"))
    master_type = said.get("master_type")
    if master_type is not None and master_type not in MASTER_TYPES:
        reader.refuse(_METADATA, "invalid", "There is no such master type.", "master_type")
    reader.finish()
    return NewTrack(
        file_name=str(file_name),
        organization_index=index,
        metadata=said or None,
        title=title,
        isrc=isrc,
        master_type=master_type,
    )


def _organization_index(reader: Reader, value: object) -> str | None:
    line = reader.line("organization_index", value, MAX_ORGANIZATION_INDEX, strip=False)
    return None if isinstance(line, Unset) else line


def _title(reader: Reader, value: object) -> str | None:
    """The title among metadata; others than texts are no titles of ours."""
    title = value.strip() if isinstance(value, str) else ""
    if not is_one_line(title) or len(title) > MAX_TITLE:
        detail = f"A title is one line of at most {MAX_TITLE} characters."
        reader.refuse(_METADATA, "invalid", detail, "title")
    return title or None


def _isrc(reader: Reader, value: object) -> str | None:
    """The ISRC among metadata: whoever names one means it."""
    isrc = parse_isrc(value) if isinstance(value, str) else None
    if isrc is None and value not in (None, ""):
        detail = "An ISRC has 12 characters, such as USRC12345678."
        reader.refuse(_METADATA, "invalid", detail, "isrc")
    return isrc

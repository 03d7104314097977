"""Uploads as JSON:API beside what a facade is about: masters that clients bring themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from services.api.domain.queries import UploadQuery
from services.api.domain.uploads import MAX_TTL, MIN_TTL, Upload, UploadState
from services.api.http.jsonapi.operations import Operations, Served
from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.resource import Attribute, Filter, Resource, Sort
from services.api.use_cases.upload_fields import MAX_NAME, UploadFields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.parse import Members
    from services.api.http.jsonapi.queries import Query
    from services.api.use_cases.options import Options
    from services.api.use_cases.use_cases import UseCases

MIN_SECONDS, MAX_SECONDS = int(MIN_TTL.total_seconds()), int(MAX_TTL.total_seconds())
_Bytes = Annotated[int, msgspec.Meta(gt=0)] | None
_Line = Annotated[str, msgspec.Meta(max_length=MAX_NAME)] | None
_MANY = "must be a number of bytes within the limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered(Upload):
    """One with its link, or without where nothing is expected."""

    uri: str | None = field(repr=False)


def _links(upload: Upload) -> Mapping[str, str]:
    uri = upload.uri if isinstance(upload, Offered) else None
    return {} if uri is None else {"upload": uri}


def _size(upload: Upload) -> int | None:
    return upload.master.size_bytes if upload.master else None


def _md5(upload: Upload) -> str | None:
    return upload.master.md5 if upload.master else None


UPLOADS: Resource[Upload] = Resource(
    type="uploads",
    id=attrgetter("id"),
    attributes=(
        Attribute(name="kind", kind=str, read=attrgetter("kind")),
        Attribute(
            name="fileName",
            kind=_Line,
            read=attrgetter("file_name"),
            field="file_name",
            invalid="must be one line of printable text",
        ),
        Attribute(
            name="contentType",
            kind=_Line,
            read=attrgetter("content_type"),
            field="content_type",
            invalid="must be a media type",
        ),
        Attribute(
            name="maxByteSize",
            kind=_Bytes,
            read=attrgetter("size_limit"),
            field="size_limit",
            invalid=_MANY,
        ),
        Attribute(
            name="declaredByteSize",
            kind=_Bytes,
            read=attrgetter("declared_size"),
            field="declared_size",
            invalid=_MANY,
        ),
        Attribute(
            name="declaredMd5",
            kind=str | None,
            read=attrgetter("declared_md5"),
            field="declared_md5",
            invalid="must be 32 hexadecimal digits",
        ),
        Attribute(
            name="ttlSeconds",
            kind=Annotated[float, msgspec.Meta(ge=MIN_SECONDS, le=MAX_SECONDS)],
            read=None,
            field="ttl",
            invalid=f"must be a number of seconds from {MIN_SECONDS} to {MAX_SECONDS}",
        ),
        Attribute(name="state", kind=UploadState, read=attrgetter("state")),
        Attribute(name="byteSize", kind=int | None, read=_size),
        Attribute(name="md5", kind=str | None, read=_md5),
        Attribute(name="expiresAt", kind=datetime | None, read=attrgetter("ends_at")),
        Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
        Attribute(name="updatedAt", kind=datetime, read=attrgetter("updated_at")),
    ),
    filters=(Filter(name="id", field="ids", parse=parse_id),),
    sorts=(
        Sort(name="createdAt", field="created_at"),
        Sort(name="updatedAt", field="updated_at"),
    ),
    version=attrgetter("version"),
    links=_links,
    is_secret_when_new=True,
)


def served(use_cases: UseCases) -> Served[Any]:
    """Them, with what can be done with them."""
    uploads = use_cases.uploads

    async def offered(upload: Upload) -> Upload:
        kept = {each.name: getattr(upload, each.name) for each in fields(Upload)}
        return Offered(**kept, uri=await uploads.uri(upload))

    async def list_(who: Principal, query: Query) -> Page[Upload]:
        return await uploads.list(who, UploadQuery(**query.slice_))

    async def get(who: Principal, id_: UUID) -> Upload:
        return await offered(await uploads.get(who, id_))

    async def create(who: Principal, given: Members, options: Options) -> Upload:
        return await offered(await uploads.create(who, UploadFields(**given), options=options))

    return Served(
        UPLOADS,
        Operations(
            list=list_,
            get=get,
            create=create,
            delete=lambda who, id_, version: uploads.delete(who, id_, version=version),
        ),
    )

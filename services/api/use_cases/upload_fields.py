"""What a client says of a file that it is going to upload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.domain.changes import UNSET, Unset
from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.nouns import COVERED
from services.api.domain.uploads import (
    DEFAULT_TTL,
    KINDS,
    MASTER,
    MAX_TTL,
    MIN_TTL,
    Upload,
    UploadState,
)
from services.api.use_cases.fields import Reader

if TYPE_CHECKING:
    from datetime import datetime

    from services.api.domain.changes import NewTask
    from services.api.domain.task import Target
    from services.api.domain.upload_sessions import UploadSession
    from services.api.domain.uploads import Kind

MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Ttl:
    """How long something may last; ``words`` begin the sentence that says so."""

    usual: timedelta
    least: timedelta
    most: timedelta
    words: str

    def read(self, seconds: object) -> timedelta:
        """What a client wants, the usual if nothing. Raises InvalidFields."""
        if seconds is UNSET or seconds is None:
            return self.usual
        least, most = int(self.least.total_seconds()), int(self.most.total_seconds())
        # True is the number 1 to Python, and too short.
        if isinstance(seconds, int | float) and least <= seconds <= most:
            return timedelta(seconds=seconds)
        raise InvalidFields(Violation("ttl", "invalid", f"{self.words} {least} to {most} seconds."))


_TTL = Ttl(DEFAULT_TTL, MIN_TTL, MAX_TTL, "An upload waits")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFields:
    """The values of a request as the client wrote them; UNSET where it wrote none.

    The ``ttl`` is in seconds. ``task`` is the import task to be made of the file once it is here,
    for whoever may make one; ``target`` what it is the cover of; ``session`` the upload session
    that it is made in, with which it ends.
    """

    kind: object = UNSET
    file_name: object = UNSET
    content_type: object = UNSET
    size_limit: object = UNSET
    declared_size: object = UNSET
    declared_md5: object = UNSET
    ttl: object = UNSET
    target: Target | Unset | None = UNSET
    task: NewTask | None = None
    session: UploadSession | None = None


def read_upload(fields: UploadFields, tenant: str, now: datetime, max_bytes: int) -> Upload:
    """The upload that a client asks for now. Raises InvalidFields."""
    reader = Reader({"kind"}, creating=False)
    kind = MASTER if fields.kind is UNSET else fields.kind
    reader.fixed("kind", kind, KINDS, None)
    rule = KINDS.get(str(kind), KINDS[MASTER])
    most = min(max_bytes, rule.limit or max_bytes)
    file_name = reader.line("file_name", fields.file_name, MAX_NAME)
    content_type = reader.line("content_type", fields.content_type, MAX_NAME)
    limit = reader.count("size_limit", fields.size_limit, most)
    size = reader.count("declared_size", fields.declared_size, limit or most)
    md5 = reader.md5("declared_md5", fields.declared_md5)
    target = _target(reader, rule, fields.target)
    reader.finish()
    return Upload(
        id=uuid7(),
        tenant=tenant,
        kind=str(kind),
        state=UploadState.WAITING,
        version=1,
        created_at=now,
        updated_at=now,
        expires_at=_end(fields, now),
        size_limit=limit or most,
        declared_size=size,
        declared_md5=md5 if isinstance(md5, str) else None,
        file_name=file_name if isinstance(file_name, str) else None,
        content_type=content_type if isinstance(content_type, str) else None,
        task=fields.task,
        target=target,
        session_id=fields.session.id if fields.session else None,
    )


def _target(reader: Reader, rule: Kind, given: Target | Unset | None) -> Target | None:
    """What a cover is of. Notes what is wrong with it."""
    reader.is_missing("target", given)
    target = None if isinstance(given, Unset) else given
    if rule.is_cover and (target is None or target.type not in COVERED):
        reader.refuse("target", "invalid", f"A cover is of one of the {', '.join(COVERED)}.")
    if target is not None and not rule.is_cover:
        reader.refuse("target", "invalid", "Only a cover is one of something.")
    return target


def _end(fields: UploadFields, now: datetime) -> datetime:
    """In whole seconds: that is what a link tells. Raises InvalidFields."""
    if fields.session is not None:
        return fields.session.expires_at
    return (now + _TTL.read(fields.ttl)).replace(microsecond=0)

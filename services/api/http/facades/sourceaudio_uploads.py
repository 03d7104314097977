"""How masters come in: one of a tenant after the other, by their url or as a file."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from services.api.domain.changes import Unset
from services.api.http.bodies import FormFile, coming
from services.api.http.plain.errors import PlainError
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.upload_fields import UploadFields

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from services.api.domain.principal import Principal
    from services.api.http.incoming import Incoming
    from services.api.use_cases.receiving import Receiving

DENIED: Final = "Simultaneous uploads will be denied"
TTL_SECONDS: Final = 86_400
"""How long a file may be on its way."""
_LATE: Final = "The parameters come before the file."
_EITHER: Final = "One of the parameters url and file is required."


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the masters of uploads come from; ``busy`` is whose is being taken by this process."""

    receiving: Receiving
    incoming: Incoming
    busy: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def taken(self, who: Principal, source: str | FormFile) -> AsyncIterator[TaskFields]:
        """What an import of the source is made with; a file is gone again if the block raises.

        Raises PlainError while another upload of the tenant is being taken, and as Incoming.place,
        Uploads.create and Receiving.receive.
        """
        with self._alone(who.tenant):
            if isinstance(source, str):
                yield TaskFields(source_uri=source)
                return
            uploads = self.receiving.uploads
            fields = UploadFields(file_name=name_of(source), ttl=TTL_SECONDS)
            upload = await uploads.create(who, fields)
            async with AsyncExitStack() as undo:
                undo.push_async_callback(uploads.delete, who, upload.id)
                with self.incoming.place():
                    await self.receiving.receive(upload, _pieces(source))
                yield TaskFields(source_upload=upload.id)
                undo.pop_all()

    @contextmanager
    def _alone(self, tenant: str) -> Iterator[None]:
        if tenant in self.busy:
            raise PlainError(DENIED, HTTPStatus.CONFLICT)
        self.busy.add(tenant)
        try:
            yield
        finally:
            self.busy.discard(tenant)


def source_of(url: str | Unset, file: FormFile | Unset) -> str | FormFile:
    """The one that was given. Raises PlainError unless just one was."""
    given = [each for each in (url, file) if not isinstance(each, Unset)]
    if len(given) != 1:
        raise PlainError(_EITHER, HTTPStatus.UNPROCESSABLE_ENTITY)
    return given[0]


def name_of(source: str | FormFile) -> str:
    """What the file is called, without folders."""
    path = urlsplit(source).path if isinstance(source, str) else source.name.replace("\\", "/")
    return PurePosixPath(unquote(path) if isinstance(source, str) else path).name or "master"


async def _pieces(file: FormFile) -> AsyncGenerator[bytes]:
    with coming():
        while piece := await file.read():
            yield piece
        is_last = await file.end()
    if not is_last:
        raise PlainError(_LATE, HTTPStatus.UNPROCESSABLE_ENTITY)

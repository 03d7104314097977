"""Validation reports: what the validator found in a master, as it wrote it down."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from services.api.db import record_rows, report_rows, task_rows
from services.api.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.report_rows import Key
    from services.api.domain.principal import Principal

IMPORT_TASKS = "importTasks"
REPORT = "validationReport"
MAX_JSON_BYTES = 4 * 1024 * 1024
"""Of a report: as a message it is smaller still, and clients of gRPC take 4 MiB."""
_GZIP = 16 + zlib.MAX_WBITS


class BrokenReport(ValueError):  # noqa: N818 - reads as what it is
    """The bytes are no report."""


def unpack(body: bytes) -> bytes:
    """The JSON of a gzip'd report. Raises BrokenReport for anything but an object in 4 MiB."""
    unzip = zlib.decompressobj(_GZIP)
    try:
        json = unzip.decompress(body, MAX_JSON_BYTES)
        if not unzip.eof:
            raise BrokenReport("cut short or too large")
        # As text: what is inside of values is not looked at otherwise.
        msgspec.json.decode(json.decode(), type=dict[str, msgspec.Raw])
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenReport(str(error)) from error
    return json


@dataclass(frozen=True, slots=True)
class Reports:
    """What clients can do with validation reports."""

    executor: Executor

    async def of_task(self, who: Principal, id_: UUID, *, only: str | None = None) -> bytes:
        """The JSON of the report of a task's present generation.

        Raises NotFound, also for a task of another master type than ``only``.
        """
        who.require("tasks:read")

        def key(connection: Connection) -> Key | None:
            task = task_rows.find(connection, who.tenant, id_)
            if task is None or only not in {None, task.master_type}:
                return None
            return (task.id, task.generation)

        return await self._read(who, IMPORT_TASKS, id_, key)

    async def of_record(self, who: Principal, id_: UUID) -> bytes:
        """The JSON of the report of a record. Raises NotFound."""
        who.require("records:read")

        def key(connection: Connection) -> Key | None:
            record = record_rows.find(connection, who.tenant, id_)
            if record is None or record.report_generation is None:
                return None
            return (record.task_id, record.report_generation)

        return await self._read(who, record_rows.COLLECTION, id_, key)

    async def _read(
        self, who: Principal, collection: str, id_: UUID, key_of: Callable[[Connection], Key | None]
    ) -> bytes:
        def query(connection: Connection) -> bytes | None:
            key = key_of(connection)
            return None if key is None else report_rows.find(connection, who.tenant, key)

        body = await self.executor.read(query)
        if body is None:
            raise NotFound(collection, f"{id_}/{REPORT}")
        return unpack(body)

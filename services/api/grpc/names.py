"""Resource names (AIP-122): a collection and a UUID in its canonical form."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.api.domain.errors import InvalidFields, Violation

IMPORT_TASKS: Final = "importTasks"
TRACKS: Final = "tracks"
RECORDS: Final = "records"
AUDIT_ENTRIES: Final = "auditEntries"


def name_of(collection: str, id_: UUID) -> str:
    """The name of a resource, as ``importTasks/{uuid}``."""
    return f"{collection}/{id_}"


def parse(name: str, collection: str) -> UUID | None:
    """The id in a name of this collection; None if it is no such name."""
    prefix, _, rest = name.partition("/")
    try:
        id_ = UUID(rest)
    except ValueError:
        return None
    # UUID() also reads braces, "urn:uuid:" and missing hyphens: names have one spelling only.
    return id_ if prefix == collection and str(id_) == rest.lower() else None


def require(name: str, collection: str, field: str = "name") -> UUID:
    """The id in a name; raises InvalidFields about ``field`` if it is none."""
    if id_ := parse(name, collection):
        return id_
    if not name:
        raise InvalidFields(Violation(field, "required", f"The {field} is required."))
    detail = f"The {field} must look like {collection}/{{uuid}}."
    raise InvalidFields(Violation(field, "invalid", detail))
